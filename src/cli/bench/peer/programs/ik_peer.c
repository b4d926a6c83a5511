// What ik_peer.py calls of ik_llama.cpp. Compiled against the checkout that is measured, since the layout of its parameters changes from
// version to version. Statuses: 0 is success; seconds below 0 are a failure.
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "llama.h"

enum { BATCH = 512 }; // tokens of one llama_decode, and of its ubatch

static struct llama_model *model;
static struct llama_context *context;
static int sequences;

static void silent(enum ggml_log_level level, const char *text, void *data) {
    (void)level, (void)text, (void)data;
}

const char *peer_system(void) {
    llama_log_set(silent, NULL);
    return llama_print_system_info();
}

static void close_context(void) {
    if (context != NULL) llama_free(context);
    context = NULL;
}

int peer_load(const char *file, int repack) {
    close_context();
    if (model != NULL) llama_free_model(model);
    llama_log_set(silent, NULL);
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    params.repack_tensors = repack;
    params.use_mmap = !repack; // mapped tensors cannot be packed anew
    model = llama_model_load_from_file(file, params);
    return model == NULL;
}

// KV types by name; GGML_TYPE_COUNT: none of that name.
static enum ggml_type type_of(const char *name) {
    for (int type = 0; type < GGML_TYPE_COUNT; type++) {
        const char *known = ggml_type_name((enum ggml_type)type);
        if (known != NULL && strcmp(known, name) == 0) return (enum ggml_type)type;
    }
    return GGML_TYPE_COUNT;
}

// positions: of each sequence.
int peer_open(int threads, int positions, int count, int flash, const char *kv) {
    close_context();
    const enum ggml_type type = type_of(kv);
    if (type == GGML_TYPE_COUNT) return 1;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)(positions * count);
    params.n_batch = BATCH;
    params.n_ubatch = BATCH;
    params.n_seq_max = (uint32_t)count;
    params.n_threads = (uint32_t)threads;
    params.n_threads_batch = (uint32_t)threads;
    params.flash_attn = flash;
    params.type_k = type;
    params.type_v = type;
    sequences = count;
    context = llama_init_from_model(model, params);
    return context == NULL;
}

static void add(struct llama_batch *batch, int token, int position, int sequence, bool logits) {
    const int at = batch->n_tokens++;
    batch->token[at] = token;
    batch->pos[at] = position;
    batch->n_seq_id[at] = 1;
    batch->seq_id[at][0] = sequence;
    batch->logits[at] = logits;
}

// Positions `first` and up of sequence 0, in batches; logits of the last token where wanted.
static int evaluate(struct llama_batch *batch, int first, const int32_t *tokens, int count, bool logits) {
    for (int at = 0; at < count; at += BATCH) {
        const int end = at + BATCH < count ? at + BATCH : count;
        batch->n_tokens = 0;
        for (int i = at; i < end; i++) add(batch, tokens[i], first + i, 0, logits && i == count - 1);
        if (llama_decode(context, *batch) != 0) return 1;
    }
    llama_synchronize(context);
    return 0;
}

// Computes sequence 0 from position `first` on and copies it to all others.
int peer_fill(int first, const int32_t *tokens, int count) {
    llama_kv_cache_seq_rm(context, 0, first, -1);
    struct llama_batch batch = llama_batch_init(BATCH, 0, 1);
    const int status = evaluate(&batch, first, tokens, count, false);
    llama_batch_free(batch);
    for (int sequence = 1; sequence < sequences; sequence++) {
        llama_kv_cache_seq_rm(context, sequence, 0, -1);
        llama_kv_cache_seq_cp(context, 0, sequence, 0, -1);
    }
    return status;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double peer_prefill(int first, const int32_t *tokens, int count) {
    llama_kv_cache_seq_rm(context, 0, first, -1);
    struct llama_batch batch = llama_batch_init(BATCH, 0, 1);
    const double started = now();
    const int status = evaluate(&batch, first, tokens, count, true);
    const double seconds = now() - started;
    llama_batch_free(batch);
    return status == 0 ? seconds : -1;
}

// tokens: [count][steps]. One token of each sequence a step, in one llama_decode, with logits of all of them.
double peer_decode(int first, const int32_t *tokens, int count, int steps) {
    for (int sequence = 0; sequence < count; sequence++) llama_kv_cache_seq_rm(context, sequence, first, -1);
    struct llama_batch batch = llama_batch_init(count, 0, 1);
    const double started = now();
    int status = 0;
    for (int step = 0; step < steps && status == 0; step++) {
        batch.n_tokens = 0;
        for (int sequence = 0; sequence < count; sequence++) {
            add(&batch, tokens[sequence * steps + step], first + step, sequence, true);
        }
        status = llama_decode(context, batch);
        llama_synchronize(context);
    }
    const double seconds = now() - started;
    llama_batch_free(batch);
    return status == 0 ? seconds : -1;
}
