/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How AddressSanitizer goes about a target that a fuzzer drives. With what it does otherwise the memory that it
 * looks after is half of what a short input costs: it keeps what was freed for longer than any input takes, so
 * that all memory is new and cold, and thirty callers of each allocation, and fills more than is read. What it
 * sees is the same; who looks at a finding sets ASAN_OPTIONS=malloc_context_size=30, which goes before this, or
 * replays it, where none of this is.
 */
const char *__asan_default_options(void);
__attribute__((visibility("default"), used)) const char *__asan_default_options(void)
{
        return "quarantine_size_mb=2:thread_local_quarantine_size_kb=256:malloc_context_size=1:"
               "max_malloc_fill_size=256";
}
