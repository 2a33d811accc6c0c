#include <stddef.h>
#include <stdint.h>

/// libFuzzer, as a call of a program that has a main function of its own (LLVM, *libFuzzer*, "Using libFuzzer as a library").
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
