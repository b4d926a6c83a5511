/** 日本語のレポート。 @module */

import { energyReason, profileSource } from "./ja_reasons.ts";
import { sentences } from "./ja_sentences.ts";
import { advice, glosses, sensitivityInputs } from "./ja_terms.ts";
import { code, strong, term } from "../marks.ts";
import type { Texts } from "./en.ts";

export const ja: Texts = {
  glosses,
  advice,
  sensitivityInputs,
  title: (model) => `トライアル報告書：${model}`,
  estimate: "推定",
  predicted: "予測",
  notMeasured: "未測定",

  header: {
    line: (machine, date) => `${machine}・${date}`,
    unknownMachine: "名称不明のマシン",
  },

  verdict: {
    question: "このマシンで負荷を処理できるか",
    yesOne: "できます。同等のマシン1台で足ります。",
    yesMany: (machines) => `できます。同等のマシンが${machines}台必要です。`,
    yesUnknown: "できます。ただし下記の負荷までです。",
    partly: (classes) =>
      `一部はできます。クラス「${classes}」のリクエストは別のハードウェアに回してください。`,
    partlyUnknown: "一部はできます。残りのリクエストは別のハードウェアに回してください。",
    partlyShort: (tokens, share, name) =>
      `一部はできます。クラス「${name}」は${tokens}トークンまでのプロンプトに限ります（全リクエストの${share}がこれより長い）。`,
    limit: (tokens, name, needed) =>
      `クラス「${name}」のこれより長いプロンプトは、他に処理がなくても応答開始までの制限時間の半分を超えます。別のハードウェアに回してください。` +
      `以下の数値には含めていません。ほぼすべてを処理するには、応答開始までの時間を${needed}まで認める必要があります。処理の対象は${tokens}トークンまでです。`,
    no: "このモデルとこの待ち時間の条件では、できません。",
    carries: (requests, users, share) =>
      `1台で処理できるのは${strong(`毎秒${requests}件`)}${
        users === null ? "" : `（利用者およそ${users}人分）`
      }までで、このとき応答の${share}以上が${term("objective")}を満たします。`,
    carriesNothing: `試した中で最も軽い負荷でも、${term("objective")}を満たす応答が足りませんでした。`,
    peak: (peak, machines, utilisation) =>
      `想定トラフィックのピークは毎秒${peak}件です${
        utilisation === null ? "。" : `。${machines}台なら、ピーク時の稼働率は${utilisation}になります。`
      }`,
    noRate: "リクエスト数が与えられていないため、必要台数は計算していません。",
    objective: (name, ttft, itl, stat) =>
      `${name}：${
        [
          ttft === null ? null : `${ttft}以内に応答が始まる`,
          itl === null
            ? null
            : stat === "mean"
            ? `続きが平均${itl}以内の間隔で届く`
            : `続きの95%が${itl}以内の間隔で届く`,
        ].filter((part) => part !== null).join("、") || "最後まで応答すればよい"
      }`,
    objectivesTitle: "「良好」とみなす応答",
  },

  tiles: {
    machines: "必要台数",
    machinesNone: "何台でも不可",
    machinesUnknown: "リクエスト数による",
    machinesAtPeak: (peak) => `ピーク毎秒${peak}件に対して`,
    machinesPerMachine: (rate) => `1台あたり毎秒${rate}件`,
    speed: "応答の速さ",
    speedBegins: (time) => `半数は${time}以内に応答が始まる`,
    speedPace: (rate) => `その後は毎秒${rate}トークン`,
    cost: "月額費用",
    costNone: "未計算",
    costNoneWhy: "単価が与えられていない",
    costExample: "仮の単価を含む",
    quality: "回答の質",
    qualityNone: "品質は未確認",
    qualityNoneWhy: "速さからは、回答が正しいかどうかは分からない",
    qualityOf: (passed, graded) => `${graded}問中${passed}問正解`,
    qualityBeside: (name, share) => `${name}：${share}`,
    power: "負荷時の電力",
    powerNone: "不明",
    powerCounters: "CPUとメモリーのみ",
    powerMeter: "コンセントでの実測",
    powerEstimate: "CPUのTDPからの推定",
  },

  next: { title: "次にすること", none: "ありません。確認したかったことには答えが出ています。" },

  warnings: {
    title: "数値を使う前に確認してください",
    noisy: (spread, threshold) =>
      `測定環境が不安定でした。同じはずの測定どうしで${spread}の差がありました（基準は${threshold}）。これより小さい差には意味がありません。`,
    noisyTtft: (spread) => `応答開始までの時間には、同条件の測定間で${spread}の差がありました。`,
    stolen: (share) => `測定中、CPU時間の${share}が他に使われていました。`,
    "busy before": (load) => `開始時点でマシンが空いていませんでした（ロードアベレージ${load}）。`,
    "budget short": (measured, planned) =>
      `時間が足りず、予定した${planned}通りのうち${measured}通りしか測定できませんでした。`,
    "few requests": (requests) =>
      `1回の測定が${requests}件しかないため、最も遅い数パーセントの値は不確かです。`,
    "generator late": (time) =>
      `負荷をかける側が最大${time}遅れました。その分、サーバーが実際より遅く見えています。`,
    "energy estimated": "電力は推定値であり、実測していません。",
    "long prompts left out": (share) =>
      `費用を含むすべての数値は、このマシンで処理できるリクエストだけのものです。プロンプトが長い${share}は含まれていません。`,
    "energy not measured": (why) => `電力は測定していません（${energyReason(why)}）。`,
    "quality not tested": "回答の質は確認していません。速ければ、誤った回答でも「良好」に数えられます。",
    "synthetic traffic": (profile) =>
      `トラフィックは公開統計から作ったプロファイル（${profile}）であり、自社のものではありません。`,
    "requests cut to the context": (share) =>
      `リクエストの${share}はモデルの扱える長さを超えたため、切り詰めました。`,
    "spending cap reached": (url) => `トークンの上限に達したため、${url}との比較は途中で終わりました。`,
    "random weights": "重みが乱数のモデルです。速度は本物ですが、回答に意味はありません。",
    "container limits": (quota) => `コンテナーの制限により、使えるCPU時間は${quota}個分です。`,
    placeholders: (count) => `単価のうち${count}件は仮の値です。置き換えるまで、費用は計算例にすぎません。`,
    oldPrices: (date) => `最も古い単価は${date}のものです。最新の値を確認してください。`,
    resumed: (times) => `測定は${times}回中断し、再開しました。`,
  },

  sentences,
  load: {
    title: "どれだけの負荷を処理できるか",
    intro: (share) => `${term("objective")}を満たす応答が${share}を下回るまで、負荷を段階的に上げました。`,
    figure: "負荷と良好な応答の割合",
    figureNote: (held, above) =>
      held === null
        ? "目標を満たした負荷はありませんでした。"
        : above === null
        ? `試した最大の毎秒${held}件まで目標を満たしました。`
        : `毎秒${held}件では目標を満たし、毎秒${above}件では満たしませんでした。`,
    axisLoad: "毎秒のリクエスト数 →",
    axisGood: "↑ 良好な応答",
    wanted: "目標",
    yourPeak: "想定ピーク",
    latencyFigure: "その負荷での待ち時間",
    latencyNote: (p95) => `丸が中央値、帯の右端が${p95}、縦線が性能目標。対数目盛。`,
    ttft: "応答開始まで",
    itl: "続きの間隔",
    axisTime: "ミリ秒 →",
    terms: `表と図では、${term("ttft")}と${term("itl")}を、それぞれ中央値（p50）と${
      term("p95")
    }で示します。処理量は${term("goodput")}で表します。`,
    table: (seconds) => `採用した設定での実測値（${seconds}間）`,
    columns: [
      "クラス",
      "件数",
      "良好",
      "拒否",
      "失敗",
      "TTFT p50",
      "TTFT p95",
      "ITL p50",
      "ITL p95",
      "応答完了 p50",
      "出力トークン/秒",
    ],
    all: "全体",
    memory: (resident) => `サーバーの使用メモリーは最大${resident}でした。`,
    kv: (allocated, waste, longest) =>
      `${
        term("kv")
      }の使用量は最大${allocated}で、うち無駄は${waste}でした。全リクエストに最長分を予約する方式なら${longest}が必要です。`,
    cpu: (share) => `CPU使用率は${share}でした。`,
  },

  alternatives: {
    title: "他の選択肢との比較",
    intro: (name, rate) => `同じ負荷（毎秒${rate}件）を${name}にも送りました。`,
    columns: [
      "",
      "良好な応答",
      "TTFT p50",
      "TTFT p95",
      "ITL p50",
      "ITL p95",
      "グッドプット/秒",
      "100万トークンの費用",
    ],
    here: "このマシン",
    failed: (name, problem) => `${name}は測定できませんでした：${problem}`,
    spent: (spent, max) => `上限${max}トークンのうち${spent}トークンを使いました。`,
    capped: "上限に達したため途中で終わりました。",
    routes: {
      intro:
        `両方を併用した場合を、それぞれの実測値からシミュレーションしました（docs/routing.md。別の値で試すには${
          code("kumi plan --upstream")
        }）。`,
      ways: {
        here: "全リクエストをこのマシンで処理する",
        there: "全リクエストを相手側へ送る",
        fastest: "各リクエストを早く応答できる側へ送る",
        overflow: "このマシンでは遅れるものだけを相手側へ送る",
      },
      late: (share) => `最初のトークンまでの待ち時間が目標の${share}を超えそうなものだけを相手側へ送る`,
      way: (load, way) => `トラフィックが${load}倍のとき、最適なのは「${way}」方法です。`,
      away: (share) => `相手側で応答するのは全体の${share}です。`,
      notAll: "それでもすべての目標は守れません。",
      saved: (amount) => `全リクエストを相手側へ送る場合より、1時間あたり${amount}安くなります。`,
    },
  },

  quality: {
    title: "回答の質は十分か",
    notTested: "品質は未確認",
    notTestedWhy:
      `今回測ったのは応答の速さであり、正しさではありません。判断の前に、自社の業務から50～200問を正解とともにファイルにまとめ、${
        code("kumi trial --eval FILE")
      } を実行してください。手順は docs/trial.ja.md にあります。`,
    figure: "正解率",
    figureNote: (questions) =>
      `全${questions}問。細い線は95%信頼区間です。問題数が少ないと幅が広く、小さな差に意味はありません。`,
    axis: "正解率 →",
    table: "出題形式別・言語別",
    columns: ["", "正解", "問題数", "正解率", "無回答"],
    failed: (name, ids) => `${name}が間違えた問題：${ids}`,
    here: (name, format) => format === null ? name : `${name}（${format}）`,
  },

  cost: {
    title: "費用",
    none: `単価が与えられていないため、費用は計算していません。${
      code("examples/prices/example-jpy.json")
    } を複製して自社の単価を記入し、${code("kumi report REPORT.json --prices FILE")} を実行してください。`,
    intro: (requests, tokens, file, date) =>
      `月${requests}件（${tokens}${term("token")}）を、${code(file)}（${date}）の単価で計算しました。`,
    basis: {
      prices: "リクエスト数は単価ファイルの値です。",
      traffic: "リクエスト数は、トラフィックの平均レートが1か月続くものとして求めました。",
      assumed: `トラフィックにレートの情報がないため、このマシンの処理能力の30%を${
        strong("リクエスト数として仮定")
      }しています。`,
    },
    peak: (factor) => `台数は、平均の${factor}倍のピークに合わせています。`,
    table: "選択肢ごとの月額",
    columns: ["選択肢", "台数", "ハードウェア", "電力", "設置・運用", "利用料", "合計", "100万トークン"],
    capacity: {
      measured: "処理能力は今回の実測",
      predicted: "処理能力は予測",
      assumed: "処理能力は仮定（未測定）",
    },
    cheapest: "最安",
    perMillion: "稼働率別に見た100万トークンの費用",
    perMillionNote:
      "マシンの費用は使っても使わなくてもほぼ変わらないため、遊んでいるほどトークン単価は高くなります。APIの単価は一定です。斜線は、処理能力が仮定（未測定）のものです。",
    utilisation: (share) => `稼働率${share}`,
    axisPerMillion: (currency) => `100万トークンあたり（${currency}）→`,
    volume: "リクエスト数と月額費用",
    volumeNote: `線の交点が${term("breakEven")}、段差は台数の増加です。両対数目盛。`,
    axisRequests: "月間リクエスト数 →",
    axisMonth: (currency) => `↑ 月額（${currency}）`,
    now: "今回の件数",
    breakEvens: "損益分岐点",
    breakEvenIntro: `最も安い選択肢が入れ替わる${term("breakEven")}は次のとおりです。`,
    breakEvenColumns: [
      "少ないうちに安い方",
      "逆転する方",
      "最初に逆転する月間件数",
      "以後ずっと逆転が続く件数",
    ],
    never: "逆転しない",
    fromStart: "最初から",
    tornado: "結果を左右する項目",
    tornadoNote: (name, utilisation) =>
      `「${name}」の稼働率${utilisation}での100万トークンの費用が、項目を一つだけ変えたときにどう動くかを示す${
        term("tornado")
      }です。青は項目の値が小さい場合、橙は大きい場合です。`,
    range: (low, high) => `${low}～${high}`,
    axisTornado: (currency) => `100万トークンあたり（${currency}）→`,
    leftOut: (name, reason) => `「${name}」は計算から除きました（${reason}）。`,
    sources: "単価とその出典",
    sourceColumns: ["項目", "値", "時点", "出典"],
    placeholder: "仮の値",
  },

  energy: {
    title: "電力",
    none: "電力は測定も推定もしていません。",
    measured: (source, seconds) => `最大負荷で${seconds}間、${source}により実測しました。`,
    sources: {
      rapl: "CPUの電力カウンター（RAPL：CPUとメモリーのみで、ファン・ディスク・電源は含まない）",
      perf: "CPUの電力カウンター（perf経由のRAPL：CPUとメモリーのみで、ファン・ディスク・電源は含まない）",
      meter: "コンセントの電力計",
    },
    domains: (names) => `カウンター：${names}。`,
    watts: (mean, idle) =>
      `平均${mean} W${idle === null ? "（アイドル時は未測定）" : `、アイドル時${idle} W`}でした。`,
    estimated: (tdp, from, utilisation) =>
      `${
        strong("これは推定値であり、実測値ではありません。")
      }TDP ${tdp} W（${from}）にCPU使用率${utilisation}を掛けたものです。実際の電力は半分のことも倍のこともあります。`,
    tdpGiven: "指定値",
    estimatedWatts: (watts) => `推定電力：${watts} W。`,
    because: (why) => `実測していない理由：${energyReason(why)}。`,
    figure: "1トークンあたりのジュール",
    figureEstimated: "1トークンあたりの推定ジュール",
    perAnswer: "全電力÷出力",
    prefill: "入力（プリフィル）",
    decode: "出力（デコード）",
    ofClass: (name) => `出力（${name}）`,
    axis: "ジュール/トークン →",
    axisEstimated: "推定ジュール/トークン →",
  },

  capacity: {
    title: "負荷が増えた場合",
    intro: (error) =>
      `実測ではなく予測です。トライアルで測ったステップ時間をもとに、サーバーのスケジューラーそのものを模擬時間で動かしました（ステップ時間の誤差は通常${error}）。`,
    none: "測定できたステップが少ないため、予測していません。",
    figure: "負荷と必要台数",
    axisLoad: "現在の負荷に対する倍率 →",
    axisMachines: "↑ 台数",
    table: "負荷が増えた場合の予測",
    columns: ["負荷", "件/秒", "台数", "良好な応答", "TTFT p95", "ITL p95"],
    times: (load) => `${load}倍`,
    none1: "不可",
    more: `他の負荷や他のマシンについては ${code("kumi plan REPORT.json --load 20x")} で予測できます。`,
  },

  traffic: {
    title: "トラフィック",
    profile: (name) => `プロファイル「${name}」：公開統計から作ったもので、自社の記録ではありません。`,
    file: (name, requests) => `${name}の${requests}件。`,
    rate: (mean, peak) => `平均毎秒${mean}件、最も混む1分間は毎秒${peak}件です。`,
    shared: (share) =>
      `プロンプトの${share}は以前のリクエストと冒頭が共通で、${term("prefixCache")}により計算を省けます。`,
    figure: "リクエストの長さ",
    figureNote: "丸が中央値、帯の右端が100件中99件の上限。対数目盛。",
    prompt: "入力",
    answer: "出力",
    axis: "トークン →",
    sources: "プロファイルの出典",
    source: profileSource,
    columns: ["クラス", "割合", "入力トークン平均", "p99", "出力トークン平均", "p99"],
  },

  search: {
    title: "最適な設定",
    intro: (measured, grid, rounds) =>
      `${grid}通りの組み合わせから${measured}通りを${rounds}段階で測定しました。まず多くの候補を短時間で試し、良いものほど長く測っています。`,
    figure: "試した設定のグッドプット",
    figureNote: (goodput) =>
      `各設定の最後の測定での${goodput}。塗りつぶしが採用した設定です。各行は、ワーカー数×スレッド数・同時処理数・1ステップのトークン数・まとめ待ち・KVの形式を表します。`,
    axis: "グッドプット（件/秒）→",
    chosen: "採用した設定",
    goodput: (mean, low, high) => `良好な応答は毎秒${mean}件（95%信頼区間${low}～${high}件）です。`,
    equals: (count) => `これと差が認められない設定が他に${count}通りあります。`,
    none: "性能目標を満たす設定はありませんでした。",
    settings: {
      workers: "ワーカー数",
      threads: "ワーカーごとのスレッド数",
      cpus: "使うCPU",
      sequencesMax: "同時処理数",
      batchTokens: "1ステップのトークン数",
      maxWaitMs: "まとめ待ちの時間",
      kvFormat: "KVの形式",
      kvTokens: "KVキャッシュのトークン数",
      prefixCache: "プレフィックスキャッシュ",
    },
    allCpus: "すべて",
    on: "有効",
    off: "無効",
    outcomes: {
      chosen: "採用",
      equal: "同等",
      beaten: "脱落",
      failed: "失敗",
      "not run": "未実行",
    },
    table: "測定したすべての設定",
    columns: ["設定", "結果", "段階", "グッドプット/秒", "TTFT p95", "ITL p95"],
  },

  method: {
    title: "測定方法・環境・限界",
    how: [
      "実際に運用するサーバーを設定ごとに起動し、同じ負荷をクライアントと同じくHTTPで送りました。サーバーがどれだけ遅くても、リクエストは予定の時刻に送信します。",
      `最後まで届き、その${term("class")}の${term("objective")}を満たした応答を「良好」と数えます。`,
      "候補を同じ負荷で比べ、上位半分をより長く測定し直しました。最後に残った設定で、負荷を段階的に上げています。",
      "同じ測定を繰り返してばらつきを調べ、それより小さい差は「同等」としています。",
    ],
    limitsTitle: "この数値から分からないこと",
    limits: [
      "ここで試していない質問に、モデルがどう答えるか。",
      "他のマシンでの性能。予測にはその旨を明記しています。",
      "他のプログラムと同居した場合の性能。トライアル中にマシンを占有できなかったときは、その旨を記しています。",
      "ネットワーク、ロードバランサー、運用にかかる手間。",
    ],
    noise: (spread, repeats) => `同条件の測定（${repeats}回）のスループットの差は${spread}でした。`,
    noNoise: "繰り返し測定をしていないため、ばらつきは不明です。",
    machine: "マシン",
    model: "モデル",
    rows: {
      processor: "CPU",
      system: "OS",
      level: "使用した命令セット",
      cpus: "使えるCPU数",
      quota: "コンテナーの割り当て",
      memory: "メモリー",
      read: "メモリー読み出し速度",
      peaks: "毎秒の積和演算（10⁹回、int8／bf16／float）",
      caches: "キャッシュ",
      nodes: "NUMAノード",
      name: "名称",
      given: "指定",
      architecture: "系列",
      quantisation: "重みの形式",
      parameters: "パラメーター数",
      file: "ファイル",
      context: "扱える最大トークン数",
      kvBytes: "1トークンのKVキャッシュ",
      load: "起動時間",
    },
    cacheLevel: (level, kind, size) => `L${level} ${kind} ${size}`,
    repeat: "再現するには",
    repeatNote: (seed, minutes, version) =>
      `シード${seed}、所要${minutes}分、kumi ${version}。シードが同じなら測定計画も同じになります。`,
    config: "kumi.config.json",
  },

  appendix: {
    title: "付録",
    formulas: "費用の計算式",
    formulasNote: "1か月は730時間とします。記号の意味は次のとおりです。",
    symbols: [
      ["P, C, A", "入力トークン数、うちキャッシュ分、出力トークン数"],
      ["c, V, k", "1台の処理能力（件/秒）、月間リクエスト数、ピーク÷平均"],
      ["u", "処理能力に対する稼働率"],
      ["p, L, r, i, m", "本体価格、使用年数、残存価値の割合、年利、年間保守費の割合"],
      ["Wi, Wb, e, PUE", "アイドル時と負荷時の電力（W）、電力単価、施設全体の電力÷IT機器の電力"],
      ["U, R, h, s", "ラックのU数、1Uの月額、月間運用時間、1時間の人件費"],
      ["q, H, x", "1時間の料金、月間利用時間、その他の月額"],
      ["a, b, o, f", "100万トークンの単価（入力、キャッシュ済み入力、出力）、月額固定費"],
    ],
    formulaNames: {
      tokens: "1件のトークン数",
      hardware: "ハードウェアの月額",
      annuity: "同（金利あり）",
      maintenance: "保守の月額",
      energy: "電力の月額",
      own: "自社マシン1台の月額",
      rented: "レンタル1台の月額",
      api: "APIの1件の費用",
      perMillion: "マシンの100万トークンの費用",
      perMillionApi: "APIの100万トークンの費用",
      machines: "台数",
      month: "マシンでの月額",
      monthApi: "APIでの月額",
      breakEven: "損益分岐点",
    },
    raw: "元データ",
    rawNote: `トライアルの全数値を、このファイルにJSONとして埋め込んでいます（idが${
      code("report")
    }のscript要素）。内容は${code("report.json")}と同じです。`,
    legend: "表記について",
    legendNote:
      "塗りつぶしの棒と通常の数字は実測値です。斜線の棒、破線の枠、「推定」「予測」の表示があるものは実測値ではありません。",
  },
};
