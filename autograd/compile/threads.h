
// ---- several threads run the same step. They walk through it together: each takes parts of a loop until none is left, and goes on
// when all are done. Nobody waits for a thread that has not come yet: what it comes too late for is done.
#include <stdatomic.h>
#if defined(_WIN32)
int SwitchToThread(void);
#define YIELD SwitchToThread()
#else
#include <sched.h>
#define YIELD sched_yield()
#endif
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define PAUSE __asm__ volatile("yield")
#else
#define PAUSE
#endif
typedef struct {  // in cache lines of their own
    _Atomic int64_t turn;  // the number of the loop that is shared out << 16 | its next part. It only grows, over all calls
    char apart1[56];
    _Atomic int64_t done;  // parts of it that are
    char apart2[56];
    _Atomic int64_t outside;  // a position that was
    char apart3[56];
} team_t;
// a part of the loop that nobody has taken; -1 when all are done, and the next loop has begun
static inline long take(team_t *team, int64_t *loop, long parts) {
    for (int spins = 0;;) {
        int64_t turn = atomic_load_explicit(&team->turn, memory_order_acquire);
        if (turn >> 16 != *loop) { ++*loop; return -1; }
        if ((turn & 0xffff) < parts) {
            if (atomic_compare_exchange_weak_explicit(&team->turn, &turn, turn + 1, memory_order_acq_rel, memory_order_relaxed)) return turn & 0xffff;
        } else if (++spins < 2000) PAUSE; else YIELD;  // others may need the core
    }
}
static inline void finish(team_t *team, int64_t loop, long parts) {
    if (outside) atomic_store_explicit(&team->outside, outside, memory_order_relaxed), outside = 0;
    if (atomic_fetch_add_explicit(&team->done, 1, memory_order_acq_rel) + 1 < parts) return;
    atomic_store_explicit(&team->done, 0, memory_order_relaxed);
    atomic_store_explicit(&team->turn, (loop + 1) << 16, memory_order_release);
}
// what was outside; nobody who is still in the step, which ended early then, will find a loop that he takes for his
EXPORT int was_outside_of(team_t *team) {
    int place = atomic_load(&team->outside);
    if (place) atomic_fetch_add(&team->turn, (int64_t)1 << 40), atomic_store(&team->outside, 0);
    return place;
}
#define SHARED(parts) for (long part; (part = take(team, &loop, parts)) >= 0; finish(team, loop, parts))
#define ALONE SHARED(1)
#define FROM(n, parts) ((n##L) * part / (parts))
#define TO(n, parts) ((n##L) * (part + 1) / (parts))
