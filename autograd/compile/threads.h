// ---- several threads run the same step. They walk through it together: each takes parts of a loop until none is left, those first
// that lie where it was in the loop before, and goes on when all are done. Nobody waits for one who has not come yet: what he comes
// too late for is done.
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
typedef struct {  // each in a cache line of its own
    _Atomic int64_t turn;  // the number of the loop that is shared out << 16 | a bit for each part that is taken. It only grows, over all calls
    char apart1[56];
    _Atomic int64_t done;  // how many parts of it are
    char apart2[56];
    _Atomic int64_t outside;  // a position that was
    char apart3[56];
} team_t;
typedef struct { team_t *team; int64_t loop; long me, mine; } walk_t;  // how far one thread is, and how many parts of this loop were his
#define NEXT(loop) (int64_t)((uint64_t)((loop) + 1) << 16)
// a part that nobody has taken; -1 when all are done
static inline long take(walk_t *w, long parts, long threads) {
    team_t *team = w->team;
    for (int spins = 0;;) {
        int64_t turn = atomic_load_explicit(&team->turn, memory_order_acquire);
        if (turn >> 16 > w->loop) { w->loop++; return -1; }
        long left = ~turn & ((1L << parts) - 1), near = left & -(1L << parts * w->me / threads);
        if (turn >> 16 == w->loop && left) {
            long part = __builtin_ctzl(near ? near : left);
            if (!atomic_compare_exchange_weak_explicit(&team->turn, &turn, turn | 1L << part, memory_order_acq_rel, memory_order_relaxed)) continue;
            w->mine++;
            return part;
        }
        if (turn >> 16 == w->loop && w->mine) {
            if (outside) atomic_store_explicit(&team->outside, outside, memory_order_relaxed), outside = 0;
            long mine = w->mine;
            w->mine = 0;
            if (atomic_fetch_add_explicit(&team->done, mine, memory_order_acq_rel) + mine == parts) {
                atomic_store_explicit(&team->done, 0, memory_order_relaxed);
                atomic_store_explicit(&team->turn, NEXT(w->loop), memory_order_release);
            }
        } else if (++spins < 2000) PAUSE; else YIELD;  // others may need the core
    }
}
// what the caller's thread does alone, while the others go on to the next loop and wait there
static inline int ended(walk_t *w) {
    if (outside) atomic_store_explicit(&w->team->outside, outside, memory_order_relaxed), outside = 0;
    atomic_store_explicit(&w->team->turn, NEXT(w->loop), memory_order_release);
    return w->loop++, 0;
}
static inline int stopped(walk_t *w) {
    for (int spins = 0; atomic_load_explicit(&w->team->turn, memory_order_acquire) >> 16 < w->loop;) if (++spins < 2000) PAUSE; else YIELD;
    return atomic_load_explicit(&w->team->outside, memory_order_acquire) != 0;
}
// what was outside; nobody who is still in the step, which ended early then, will find a loop that he takes for his
EXPORT int was_outside_of(team_t *team) {
    int place = atomic_load(&team->outside);
    if (place) atomic_fetch_add(&team->turn, (int64_t)1 << 40), atomic_store(&team->outside, 0);
    return place;
}
#define SHARED(parts) for (long part; (part = take(&walk, parts, THREADS)) >= 0;)
#define ALONE for (int once = me == 0 || (walk.loop++, 0); once; once = ended(&walk))
#define FROM(n, parts) ((n##L) * part / (parts))
#define TO(n, parts) ((n##L) * (part + 1) / (parts))
