/** 会議で使える文。 @module */

import type { Texts } from "./en.ts";

export const sentences: Texts["sentences"] = {
  title: "会議でそのまま使える文",
  intro: "各文の後ろに、根拠となる図表を示します。",
  carries: (rate, share) =>
    `同等のマシン1台で毎秒${rate}件を処理でき、その${share}以上が当社の求める待ち時間に収まります。`,
  carriesNothing: "同等のマシン1台では、試したどの負荷でも当社の求める待ち時間に収まりませんでした。",
  machines: (peak, machines, utilisation) =>
    `ピーク時の毎秒${peak}件には同等のマシンが${machines}台必要で、そのときの稼働率は${utilisation}です。`,
  waits: (half, most) =>
    `応答が始まるまでの時間は、利用者の半数で${half}以内、100人中95人で${most}以内です。`,
  alternative: (name, theirs, ours) =>
    `同じ負荷で応答の半数が始まるまでの時間は、${name}が${theirs}、このマシンが${ours}です。`,
  quality: (name, passed, graded) => `${name}は${graded}問中${passed}問に正解しました。`,
  qualityNone: "当社の業務に十分な回答が得られるかどうかは、まだ確認していません。",
  cost: (requests, here, ours, other, theirs) =>
    `月${requests}件の場合、月額は「${here}」が${ours}、「${other}」が${theirs}です。`,
  assumed: (name) => `「${name}」の処理能力は仮定で、測定していません。`,
  breakEven: (cheap, other, first, always) =>
    first === always
      ? `月${first}件までは「${cheap}」、それを超えると「${other}」の方が安くなります。`
      : `月${first}件までは「${cheap}」、月${always}件からは「${other}」の方が安くなります（その間は台数の埋まり方によります）。`,
  breakEvenNever: (cheap, other) => `件数によらず、「${cheap}」は「${other}」より安く済みます。`,
  utilisation: (name, low, lowCost, high, highCost) =>
    `「${name}」の100万トークンの費用は、稼働率${low}なら${lowCost}、${high}なら${highCost}です。どれだけ使うかで決まります。`,
  sensitivity: (input) => `費用を最も左右するのは「${input}」です。`,
  placeholders: "単価はまだ仮の値です。当社の単価を入れれば金額は変わります。",
  energy: (watts, joules) => `最大負荷時の電力は${watts} W、出力1トークンあたり${joules}ジュールです。`,
  energyEstimated: (watts) => `最大負荷時の電力はおよそ${watts} Wと推定されます（実測ではありません）。`,
  growth: (load, machines) => `負荷が${load}倍になると、${machines}台必要です。`,
  noise: (spread) => `同じ測定を繰り返したときの差は${spread}で、これより小さい差に意味はありません。`,
};
