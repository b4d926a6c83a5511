/** 日本語の用語、助言、費用の項目。 @module */

import type { SensitivityInput } from "../../../cost/mod.ts";
import type { TrialAdvice } from "../../report_data.ts";
import { code, type Glosses } from "../marks.ts";

export const glosses: Glosses = {
  ttft: { word: "TTFT", gloss: "（Time To First Token：送信してから応答が表示され始めるまでの時間）" },
  itl: { word: "ITL", gloss: "（Inter-Token Latency：応答の続きが届く間隔）" },
  goodput: { word: "グッドプット", gloss: "（すべての性能目標を満たした応答の毎秒の件数）" },
  token: { word: "トークン", gloss: "（モデルが読み書きする文字列の単位。日本語ではおよそ1文字前後）" },
  kv: { word: "KVキャッシュ", gloss: "（各リクエストで読み込んだ内容をモデルが保持するためのメモリー）" },
  objective: { word: "性能目標", gloss: "（応答を「良好」と数えるために守るべき待ち時間。SLO）" },
  class: {
    word: "クラス",
    gloss: "（同じ性能目標を持つリクエストの種類。人が待つ対話用、裏で流すバッチ用など）",
  },
  p95: { word: "p95", gloss: "（100件中95件がこの値以内）" },
  prefixCache: {
    word: "プレフィックスキャッシュ",
    gloss: "（複数のプロンプトに共通する冒頭部分を一度だけ計算する仕組み）",
  },
  tornado: { word: "トルネード図", gloss: "（結果への影響が大きい項目ほど上に並ぶ）" },
  breakEven: { word: "損益分岐点", gloss: "（これを超えると他方の費用が同等以下になるリクエスト数）" },
};

export const advice: Readonly<Record<TrialAdvice, string>> = {
  "serve with the configuration": `今回見つかった設定でサーバーを起動する：${
    code("kumi serve --config kumi.config.json")
  }`,
  "add machines": "上記の台数をロードバランサーの背後に並べる。または、1台で賄える利用者数に絞って始める。",
  "move classes elsewhere":
    "このマシンで処理できるリクエストだけを受け持たせ、残りはGPUサーバーまたは外部APIに回す。",
  "move long prompts elsewhere":
    "これより長いプロンプトのリクエストは、GPUサーバーまたは外部APIに回す（プロキシで本文の大きさから振り分けられる）。",
  "try a smaller model or format":
    "より小さいモデル、またはビット数の少ない形式で再度試す。その際は品質も必ず確認する。",
  "loosen objectives": "利用者がもう少し待てるかを確認する。目標を緩めれば、1台で処理できる量は増える。",
  "repeat on a quiet machine": "他の処理が動いていないときに再測定する。今回の値はばらつきが大きい。",
  "repeat with a longer budget": `${
    code("--budget-minutes")
  } を長くして再測定する。今回は時間が足りなかった。`,
  "record own traffic": `${
    code("kumi serve --record FILE")
  } で自社のトラフィックを記録し（長さと時刻だけで、本文は残らない）、そのファイルで再測定する。`,
  "test quality": `自社の質問を用意し、回答の質を確かめる：${code("kumi trial --eval FILE")}`,
  "measure energy": "CPUの電力カウンターかワットチェッカーで電力を実測する。今回は実測していない。",
  "give prices": `${code("examples/prices/example-jpy.json")} を複製して自社の単価を記入し、${
    code("kumi report REPORT.json --prices FILE")
  } を実行すると費用が表示される。`,
};

export const sensitivityInputs: Readonly<Record<SensitivityInput, string>> = {
  capacity: "1台の処理能力（件/秒）",
  utilisation: "稼働率",
  price: "本体価格",
  life: "使用年数",
  interest: "年利",
  watts: "負荷時の電力（W）",
  powerPrice: "電力単価（1 kWh）",
  pue: "PUE",
  rack: "ラック1Uの月額",
  staff: "運用工数（時間/月）",
  rent: "1時間あたりの料金",
};
