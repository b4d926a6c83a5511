// Opens a kernel library, computes a matmul in some formats on each level that the machine has, and prints the bits' hashes:
// the same program for every system, to compare what they compute. Usage: use_library PATH
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
static void *open_library(const char *path) { return (void *)LoadLibraryA(path); }
static void *symbol(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
static void close_library(void *library) { FreeLibrary((HMODULE)library); }
static void pause_ms(int ms) { Sleep(ms); }
#else
#include <dlfcn.h>
#include <unistd.h>
static void *open_library(const char *path) { return dlopen(path, RTLD_NOW); }
static void *symbol(void *library, const char *name) { return dlsym(library, name); }
static void close_library(void *library) { dlclose(library); }
static void pause_ms(int ms) { usleep(ms * 1000); }
#endif

enum { NONE = -1, ROWS = 48, K = 256, COLUMNS = 5, VALUES = ROWS * K, THREADS = 2 };
// Regions in units of 64 bytes: an activation in all its forms, f32 and behind it the two quantised ones, and a result.
enum { X = 0, QUANTISED = COLUMNS * K * 4 / 64, Y = 500, UNITS = 1000 };
enum { FORM_F32 = 1, FORM_PER32 = 2, FORM_PER256 = 4 };

static const struct { const char *name; uint32_t id, bytes; } formats[] = {
    {"Q4_0", 2, VALUES / 32 * 18}, {"Q5_0", 6, VALUES / 32 * 22}, {"Q8_0", 8, VALUES / 32 * 34}, {"Q4_K", 12, VALUES / 256 * 144},
    {"Q5_K", 13, VALUES / 256 * 176}, {"Q6_K", 14, VALUES / 256 * 210}, {"F16", 1, VALUES * 2}};

static void *library;

static int32_t ok(const char *what, int32_t status) {
  if (status < 0) {
    printf("%s failed: %d\n", what, status);
    exit(1);
  }
  return status;
}

// CALL(name, types)(arguments): the function of that name, whose status is checked.
#define CALL(name, types, ...) ok(#name, ((int32_t(*) types)symbol(library, #name))(__VA_ARGS__))

static float values[VALUES], x[COLUMNS * K], y[COLUMNS * ROWS];
static uint8_t blocks[VALUES * 2];

static void fill(float *target, int count, uint32_t seed) {
  for (int i = 0; i < count; i++) {
    seed = seed * 1664525 + 1013904223;
    target[i] = (float)(int32_t)seed / 2147483648.0f;
  }
}

static uint32_t hash(const void *data, size_t bytes) {
  uint32_t sum = 2166136261u;
  for (size_t i = 0; i < bytes; i++) sum = (sum ^ ((const uint8_t *)data)[i]) * 16777619u;
  return sum;
}

static void multiply(uint32_t context, const char *level, int format) {
  uint32_t weights = 0, id = formats[format].id, bytes = formats[format].bytes;
  CALL(kumi_quantize, (uint32_t, uint32_t, void *, uint32_t, void *, uint32_t), context, id, values, VALUES, blocks, bytes);
  CALL(kumi_weights_create, (uint32_t, uint32_t, uint32_t, uint32_t, void *), context, id, ROWS, K, &weights);
  CALL(kumi_weights_load, (uint32_t, uint32_t, uint32_t, uint32_t, void *, uint32_t), context, weights, 0, ROWS, blocks, bytes);
  CALL(kumi_write, (uint32_t, uint32_t, void *, uint32_t), context, X, x, sizeof x);
  CALL(kumi_quantize_activations, (uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t), context, X, K, COLUMNS, QUANTISED,
       FORM_PER32 | FORM_PER256);
  CALL(kumi_matmul,
       (uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t,
        uint32_t, uint32_t),
       context, X, FORM_F32 | FORM_PER32 | FORM_PER256, COLUMNS, 0, weights, NONE, Y, NONE, NONE, NONE, NONE, NONE, NONE);
  CALL(kumi_read, (uint32_t, uint32_t, void *, uint32_t), context, Y, y, sizeof y);
  CALL(kumi_destroy, (uint32_t), weights);
  printf("%s %s %08x\n", level, formats[format].name, hash(y, sizeof y));
}

// Memory that is reserved, filled and given back.
static void use_arena(uint32_t context) {
  uint32_t arena = 0;
  // Of two layers: KV heads, elements of a key and of a value, window, group, where values are.
  uint32_t layers[2][6] = {{2, 64, 64, 0, 0, 0}, {2, 64, 64, 0, 0, 0}};
  CALL(kumi_arena_create, (uint32_t, void *, uint32_t, uint32_t, uint32_t, void *), context, layers, sizeof layers, 1 << 16, 1, &arena);
  CALL(kumi_arena_prefault, (uint32_t, uint32_t, uint32_t), arena, 0, 8);
  CALL(kumi_arena_give_back, (uint32_t, uint32_t, uint32_t), arena, 0, 1 << 16);
  CALL(kumi_arena_prefault, (uint32_t, uint32_t, uint32_t), arena, 0, 8);
  CALL(kumi_destroy, (uint32_t), arena);
}

int main(int count, char **arguments) {
  static char levels[1024];
  library = count == 2 ? open_library(arguments[1]) : NULL;
  if (library == NULL) return puts("cannot open the library"), 1;
  fill(values, VALUES, 1);
  fill(x, COLUMNS * K, 2);
  int32_t length = CALL(kumi_isa_levels, (void *, uint32_t), levels, sizeof levels - 1);
  levels[length] = 0;
  for (char *level = strtok(levels, ","); level != NULL; level = strtok(NULL, ",")) {
    uint32_t context = 0;
    CALL(kumi_context_create, (void *, uint32_t, uint32_t, void *, uint32_t, uint32_t, uint32_t, void *), level, (uint32_t)strlen(level),
         THREADS, NULL, 0, NONE, UNITS, &context);
    use_arena(context);
    for (int i = 0; i < (int)(sizeof formats / sizeof *formats); i++) {
      multiply(context, level, i);
      pause_ms(2); // long enough that the team's threads go to sleep
    }
    // Contexts are not stopped: their threads sleep in the library while it is closed.
  }
  CALL(kumi_usable_cpus, (void));
  close_library(library);
  pause_ms(50);
  puts("closed");
  return 0;
}
