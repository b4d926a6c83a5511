import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

/** Java's own HTTP client with its defaults: it offers HTTP/2 with every first request ("Upgrade: h2c"). See common.py for the checks. */
class Client {
    static final String BASE = System.getenv("KUMI_URL");
    static final String KEY = System.getenv("KUMI_KEY");
    static final String MODEL = System.getenv("KUMI_MODEL");
    static final int CONTEXT = Integer.parseInt(System.getenv("KUMI_CONTEXT"));
    static final int ENDLESS_N = 8;
    static final int ENDLESS_TOKENS = CONTEXT - 64;

    static final HttpClient client = HttpClient.newHttpClient();

    interface Check {
        String run() throws Exception;
    }

    static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(BASE + path)).header("Authorization", "Bearer " + KEY)
            .header("Content-Type", "application/json").timeout(Duration.ofSeconds(60));
    }

    static HttpRequest chat(String question, String more) {
        String body = "{\"model\":\"" + MODEL + "\",\"messages\":[{\"role\":\"user\",\"content\":\"" + question + "\"}]" + more + "}";
        return request("/v1/chat/completions").POST(BodyPublishers.ofString(body)).build();
    }

    static HttpRequest question(String more) {
        return chat("What is 17 + 25?", ",\"temperature\":0" + more);
    }

    static HttpRequest endless(String more) {
        // The spaces make it so large that it comes in pieces, the body behind the headers.
        return chat("What is 17 + 25?", " ".repeat(8192) + ",\"ignore_eos\":true,\"n\":" + ENDLESS_N + ",\"max_tokens\":" + ENDLESS_TOKENS + more);
    }

    static void require(boolean isTrue, Object what) {
        if (!isTrue) throw new AssertionError(String.valueOf(what));
    }

    static HttpResponse<String> send(HttpRequest request) throws Exception {
        return client.send(request, BodyHandlers.ofString());
    }

    static String plain() throws Exception {
        var answer = send(question(""));
        require(answer.statusCode() == 200 && answer.body().contains("\"content\":\""), answer.statusCode() + " " + answer.body());
        require(send(request("/v1/models").GET().build()).statusCode() == 200, "GET /v1/models");
        return "over " + answer.version();
    }

    static String streamed() throws Exception {
        var answer = client.send(question(",\"stream\":true"), BodyHandlers.ofLines());
        List<String> lines = answer.body().filter(line -> line.startsWith("data: ")).collect(Collectors.toList());
        require(answer.statusCode() == 200 && lines.size() > 3, lines);
        require(lines.get(lines.size() - 1).equals("data: [DONE]"), lines.get(lines.size() - 1));
        return "";
    }

    static double metric(String name) throws Exception {
        double sum = 0;
        for (String line : send(request("/metrics").GET().build()).body().split("\n")) {
            if (line.startsWith(name + "{")) sum += Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
        }
        return sum;
    }

    /** Hardly a token may be computed after the client has left. */
    static void requireStopped(double before) throws Exception {
        double left = metric("kumi:computed_tokens_total");
        double whole = (double) ENDLESS_N * ENDLESS_TOKENS;
        require(left > before, "the request had not begun when it was left");
        require(left - before < 0.7 * whole, "the client left when there was little left to compute");
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (metric("vllm:num_requests_running") > 0) {
            require(System.nanoTime() < deadline, "the request is still being computed after 60 s");
            Thread.sleep(20);
        }
        double more = metric("kumi:computed_tokens_total") - left;
        require(more < 0.2 * whole, (long) more + " of " + (long) whole + " tokens were computed after the client had left");
    }

    static void waitUntilRunning() throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (metric("vllm:num_requests_running") == 0) require(System.nanoTime() < deadline, "no request arrived");
    }

    static String abortPlain() throws Exception {
        double before = metric("kumi:computed_tokens_total");
        CompletableFuture<HttpResponse<String>> answer = client.sendAsync(endless(""), BodyHandlers.ofString());
        waitUntilRunning();
        Thread.sleep(20);
        answer.cancel(true);
        requireStopped(before);
        return "";
    }

    static String abortStreamed() throws Exception {
        double before = metric("kumi:computed_tokens_total");
        var answer = client.send(endless(",\"stream\":true"), BodyHandlers.ofInputStream());
        answer.body().read();
        waitUntilRunning();
        answer.body().close();
        requireStopped(before);
        return "";
    }

    static String embeddings() throws Exception {
        String body = "{\"model\":\"" + MODEL + "\",\"input\":[\"a lamp\",\"a ship\"]}";
        var answer = send(request("/v1/embeddings").POST(BodyPublishers.ofString(body)).build());
        require(answer.statusCode() == 200 && answer.body().contains("\"index\":1"), answer.body());
        return "";
    }

    static String errors() throws Exception {
        var tooLong = send(chat("again and ".repeat(CONTEXT), ""));
        require(tooLong.statusCode() == 400 && tooLong.body().contains("context_length_exceeded"), tooLong.body());
        var stranger = HttpRequest.newBuilder(URI.create(BASE + "/v1/models")).header("Authorization", "Bearer another-key").build();
        require(send(stranger).statusCode() == 401, "another key");
        return "";
    }

    static String concurrency() throws Exception {
        var answers = new ArrayList<CompletableFuture<HttpResponse<String>>>();
        for (int i = 0; i < 16; i++) answers.add(client.sendAsync(question(""), BodyHandlers.ofString()));
        for (var answer : answers) require(answer.get().statusCode() == 200, answer.get().body());
        return "";
    }

    static void check(String name, Check check) {
        String detail;
        boolean ok = true;
        try {
            detail = check.run();
        } catch (Throwable error) {
            ok = false;
            detail = error.getClass().getSimpleName() + ": " + error.getMessage();
        }
        String safe = detail.substring(0, Math.min(300, detail.length())).replaceAll("[\\\\\"\\p{Cntrl}]", "'");
        System.out.println("{\"check\":\"" + name + "\",\"ok\":" + ok + ",\"detail\":\"" + safe + "\"}");
    }

    public static void main(String[] args) {
        check("plain", Client::plain);
        check("streamed", Client::streamed);
        check("abort plain", Client::abortPlain);
        check("abort streamed", Client::abortStreamed);
        check("embeddings", Client::embeddings);
        check("errors", Client::errors);
        check("concurrency", Client::concurrency);
    }
}
