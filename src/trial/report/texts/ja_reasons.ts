/** Why energy was not measured, in Japanese. @module */

import { POWERCAP_REASONS } from "../../../energy/powercap.ts";

const JAPANESE: Readonly<Record<string, string>> = {
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
  return JAPANESE[why] ?? why;
}
