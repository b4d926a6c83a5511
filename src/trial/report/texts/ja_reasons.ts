/** Sentences that reports carry as they were measured, in Japanese. @module */

import { PROFILE_SOURCES } from "../../profiles.ts";
import { POWERCAP_REASONS } from "../../../energy/powercap.ts";

const SOURCES: Readonly<Record<string, string>> = {
  [PROFILE_SOURCES.conversations]:
    "入力と出力の長さ：Azure LLM inference trace 2023、conversations（19,366件。Patel ほか、Splitwise、ISCA 2024）。",
  [PROFILE_SOURCES.code]:
    "入力の長さ：Azure LLM inference trace 2023、code（8,819件。Patel ほか、Splitwise、ISCA 2024）。",
  [PROFILE_SOURCES.conversationAnswers]: "出力の長さ：Azure LLM inference trace 2023、conversations。",
  [PROFILE_SOURCES.codeAnswers]: "出力の長さ：Azure LLM inference trace 2023、code。",
  [PROFILE_SOURCES.assumed]:
    "実測ではない仮定：プロンプトの共通部分、利用者が質問する頻度、ポアソン過程に従う到着。",
  [PROFILE_SOURCES.objectives]:
    "目標：トークン間隔200ミリ秒は MLPerf Inference（Llama 2 70B、server シナリオ）の上限で、人が読む速さより少し速い。応答開始までの5秒は仮定です。",
  [PROFILE_SOURCES.ragObjectives]:
    "目標：トークン間隔200ミリ秒は MLPerf Inference と同じ。応答開始までの10秒は仮定です。",
};

/** Where a profile comes from. */
export function profileSource(text: string): string {
  return SOURCES[text] ?? text;
}

const REASONS: Readonly<Record<string, string>> = {
  [POWERCAP_REASONS.none]:
    "このシステムの /sys/class/powercap に RAPL カウンターがありません。仮想マシンやコンテナではほとんどの場合使えません。" +
    "実機であれば sudo modprobe intel_rapl_msr で使えるようになることがあります（AMD も同様）",
  [POWERCAP_REASONS.denied]:
    "RAPL カウンターは root だけが読めます（CVE-2020-8694 への対策）。sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj " +
    "で再起動まで読めるようになります。kumi を root で動かすか、コンテナでは /sys/class/powercap と /sys/devices を" +
    "読み取り用にマウントしてください",
};

/** A reason as the counters say it; rare ones stay as they are. */
export function energyReason(why: string): string {
  return REASONS[why] ?? why;
}
