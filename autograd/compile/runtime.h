// What every generated step starts with: vector mathematics, the products of NumPy's BLAS, convolution, and positions that are checked.
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _WIN32
#define long long long  // which has 32 bits there
#endif

#define KERNEL static __attribute__((noinline))
#if defined(__GNUC__) && !defined(__clang__)
#define STRAIGHT static __attribute__((noinline, optimize("O1,no-inline")))  // long, and each line is run once
#else
#define STRAIGHT static __attribute__((noinline, minsize))
#endif
#define ALWAYS static inline __attribute__((always_inline))

// ---- exp, log, tanh, erf of floats, written so that every compiler vectorises them (Cephes and njuffa, 1 to 2 ulp)
static inline float as_float(int32_t i) { float f; memcpy(&f, &i, 4); return f; }
static inline int32_t as_int(float f) { int32_t i; memcpy(&i, &f, 4); return i; }
static inline float exp_part(float r) {  // (exp(r) - 1 - r) / (r * r), for |r| up to log(2) / 2
    return ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
}
static inline float exp_(float x) {
    float c = x < -104 ? -104 : x > 88.72284f ? 88.72284f : x;
    float n = rintf(c * 1.44269504f), r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = exp_part(r);
    int32_t k = (int32_t)n;
    float h = as_float(((k >> 1) + 127) << 23), q = as_float((k - (k >> 1) + 127) << 23);
    float y = (p * r * r + r + 1) * h * q;
    return x < -104 ? 0 : x > 88.72284f ? INFINITY : x == x ? y : x;
}
static inline float log_(float x) {
    int32_t tiny = x < 1.17549435e-38f;  // less than any normal number: as a larger one
    int32_t i = as_int(tiny ? x * 8388608 : x) - 0x3f3504f3, e = (i >> 23) - 23 * tiny;
    float m = as_float((i & 0x7fffff) + 0x3f3504f3) - 1, z = m * m;
    float p = ((((((((7.0376836292e-2f * m - 1.1514610310e-1f) * m + 1.1676998740e-1f) * m - 1.2420140846e-1f) * m + 1.4249322787e-1f) * m - 1.6668057665e-1f) * m + 2.0000714765e-1f) * m - 2.4999993993e-1f) * m + 3.3333331174e-1f) * m * z;
    float y = m + (p - 2.12194440e-4f * e - .5f * z) + .693359375f * e;
    return x > 0 ? (x < INFINITY ? y : x) : x == 0 ? -INFINITY : NAN;
}
static inline float log1p_(float x) {
    float u = 1 + x, d = u - 1;
    return d == 0 ? x : u < INFINITY ? log_(u) * (x / d) : x;
}
static inline float tanh_(float x) {  // beyond 10 it is 1, so that exp is simpler here
    float a = fabsf(x), z = x * x, c = a < 10 ? a : 10;
    float small = ((((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z - 3.33332819422e-1f) * z * x + x;
    float n = rintf(c * 2.88539008f), r = (2 * c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = exp_part(r);
    float e = (p * r * r + r + 1) * as_float(((int32_t)n + 127) << 23), big = 1 - 2 / (e + 1);
    return x != x ? x : copysignf(a < .625f ? small : big, x);
}
static inline float erf_(float x) {
    float a = fabsf(x), s = x * x;
    float r = -1.72853470e-5f * a + 3.83197126e-4f, u = -3.88396438e-3f * a + 2.42546219e-2f;
    r = r * s + u;
    r = ((r * a - 1.06777877e-1f) * a - 6.34846687e-1f) * a - 1.28717512e-1f;
    float big = 1 - exp_(r * a - a);
    float q = ((((-5.96761703e-4f * s + 4.99119423e-3f) * s - 2.67681349e-2f) * s + 1.12819925e-1f) * s - 3.76125336e-1f) * s + 1.28379166e-1f;
    return x != x ? x : copysignf(a < .921875f ? q * a + a : big, x);
}
static inline float erfc_(float x) {  // exp(-x * x) times a polynomial of 1 / (1 + 0.3 |x|), fitted to a relative error of 2e-8
    float a = fabsf(x) > 11 ? 11 : fabsf(x), t = 1 / (1 + .3f * a), s = a * a;
    float p = (((((((-1.3045109808e-1f * t + 4.9019426107e-1f) * t - 5.2213472128e-1f) * t + 5.5938607454e-1f) * t - 1.0303252190e-1f) * t
        + 2.1866239607e-1f) * t + 1.4733175933e-1f) * t + 1.7086522281e-1f) * t + 1.6917857528e-1f;
    float y = t * p * exp_(-s) * (1 - fmaf(a, a, -s));
    return x != x ? x : x < 0 ? 2 - y : y;
}
static inline float exp2_(float x) {
    float c = x < -160 ? -160 : x > 128 ? 128 : x, n = rintf(c), r = (c - n) * .693147181f;
    float p = exp_part(r);
    int32_t k = (int32_t)n;
    float h = as_float(((k >> 1) + 127) << 23), q = as_float((k - (k >> 1) + 127) << 23);
    float y = (p * r * r + r + 1) * h * q;
    return x < -160 ? 0 : x >= 128 ? INFINITY : x == x ? y : x;
}
static inline float expm1_(float x) {
    float c = x < -20 ? -20 : x > 88.72284f ? 88.72284f : x;
    float n = rintf(c * 1.44269504f), r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = exp_part(r);
    int32_t k = (int32_t)n;
    float e = p * r * r + r, h = as_float(((k >> 1) + 127) << 23), q = as_float((k - (k >> 1) + 127) << 23);
    float y = k > 30 ? (e + 1) * h * q - 1 : e * (h * q) + (h * q - 1);
    return x > 88.72284f ? INFINITY : x == x ? copysignf(y, x) : x;
}

// ---- and of doubles: a Taylor polynomial of exp on half a power of 2, FreeBSD's of log. In the sum with SHIFT the low bits are n.
#define SHIFT 0x1.8p52
#define LN2 6.93147180369123816490e-01
#define LN2_REST 1.90821492927058770002e-10
static inline double as_double(uint64_t i) { double f; memcpy(&f, &i, 8); return f; }
static inline uint64_t as_bits(double f) { uint64_t i; memcpy(&i, &f, 8); return i; }
static inline double power_of_2(double n) { return as_double((as_bits(n + SHIFT) + 1023) << 52); }
static inline double square_part(double r) {  // exp(r) - 1 - r
    return r * r * ((((((((((((1.6059043836821613e-10 * r + 2.08767569878681e-9) * r + 2.505210838544172e-8) * r + 2.755731922398589e-7) * r
        + 2.7557319223985893e-6) * r + 2.48015873015873e-5) * r + 1.984126984126984e-4) * r + 1.388888888888889e-3) * r
        + 8.333333333333333e-3) * r + 4.1666666666666664e-2) * r + .16666666666666666) * r + .5));
}
static inline double exp_d(double x) {
    double c = x < -746 ? -746 : x > 709.782712893384 ? 709.782712893384 : x;
    double n = rint(c * 1.4426950408889634), r = (c - n * LN2) - n * LN2_REST, half = rint(.5 * n);
    double y = (square_part(r) + r + 1) * power_of_2(half) * power_of_2(n - half);
    return x < -746 ? 0 : x > 709.782712893384 ? INFINITY : y;
}
static inline double exp2_d(double x) {
    double c = x < -1080 ? -1080 : x > 1024 ? 1024 : x;
    double n = rint(c), r = (c - n) * .6931471805599453, half = rint(.5 * n);
    double y = (square_part(r) + r + 1) * power_of_2(half) * power_of_2(n - half);
    return x < -1080 ? 0 : x >= 1024 ? INFINITY : y;
}
static inline double expm1_d(double x) {
    double c = x < -40 ? -40 : x > 709.782712893384 ? 709.782712893384 : x;
    double n = rint(c * 1.4426950408889634), r = (c - n * LN2) - n * LN2_REST, half = rint(.5 * n);
    double e = square_part(r) + r, h = power_of_2(half), q = power_of_2(n - half);
    double y = n > 60 ? (e + 1) * h * q - 1 : e * (h * q) + (h * q - 1);
    return x > 709.782712893384 ? INFINITY : x == x ? copysign(y, x) : x;
}
static inline double log_d(double x) {
    double tiny = x < 2.2250738585072014e-308;  // less than any normal number: as a larger one
    uint64_t i = as_bits(tiny != 0 ? x * 0x1p54 : x) - 0x3fe6a09e667f3bcdULL;
    double k = as_double((((i >> 52) + 2048) & 4095) | 0x4330000000000000ULL) - 0x1p52 - 2048 - 54 * tiny;
    double f = as_double((i & 0xfffffffffffffULL) + 0x3fe6a09e667f3bcdULL) - 1, t = f / (2 + f), z = t * t, h = .5 * f * f;
    double p = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 + z * (2.222219843214978396e-01
        + z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
    double y = k * LN2 - ((h - (t * (h + p) + k * LN2_REST)) - f);
    return x > 0 ? (x < INFINITY ? y : x) : x == 0 ? -INFINITY : NAN;
}
static inline double log1p_d(double x) {
    double u = 1 + x, d = u - 1;
    return d == 0 ? x : u < INFINITY ? log_d(u) * (x / d) : x;
}
static inline double tanh_d(double x) {
    double a = fabs(x), e = expm1_d(a < 22 ? 2 * a : 44);
    return x != x ? x : copysign(e / (e + 2), x);
}
static inline float pow_(float x, float y) {  // in double precision, of which a float's digits are left
    int whole = rintf(y) == y, odd = whole && fabsf(y) < 16777216 && 2 * rintf(.5f * y) != y;
    float p = (float)exp_d(y * log_d(fabsf(x))), r = odd ? copysignf(p, x) : x < 0 && x > -INFINITY && !whole ? NAN : p;
    return y == 0 || x == 1 || (x == -1 && fabsf(y) == INFINITY) ? 1 : x != x || y != y ? NAN : r;
}
// d, which a rule made of the gradient g; but 0 for NaN where g is 0. Written as two choices, which vectorise.
ALWAYS float keep_zerof(float g, float d) { float z = d != d ? 0 : d; return g == 0 ? z : d; }
ALWAYS double keep_zero(double g, double d) { double z = d != d ? 0 : d; return g == 0 ? z : d; }
// the larger and the smaller of two, NaN if one is
#define BOTH(name, type) \
    ALWAYS type larger##name(type a, type b) { type m = a > b ? a : b; return a != a ? a : m; } \
    ALWAYS type smaller##name(type a, type b) { type m = a < b ? a : b; return a != a ? a : m; }
BOTH(_float, float)
BOTH(_double, double)
BOTH(_whole, int64_t)
#define LARGER(a, b) _Generic((a) + (b), float: larger_float, double: larger_double, default: larger_whole)(a, b)
#define SMALLER(a, b) _Generic((a) + (b), float: smaller_float, double: smaller_double, default: smaller_whole)(a, b)
#define ABSOLUTE(a) _Generic((a), float: fabsf, double: fabs, default: labs_)(a)
static inline int64_t labs_(int64_t a) { return a < 0 ? -a : a; }
#define expf exp_
#define logf log_
#define log1pf log1p_
#define tanhf tanh_
#define erff erf_
#define erfcf erfc_
#define expm1f expm1_
#define exp2f exp2_
#define powf pow_
#define exp exp_d
#define exp2 exp2_d
#define expm1 expm1_d
#define log log_d
#define log1p log1p_d
#define tanh tanh_d

// ---- products of matrices: R stands for rows, N and T for as it is and transposed
enum { R = 101, N = 111, T = 112 };
typedef void sgemm_t(int, int, int, INT, INT, INT, float, const float *, INT, const float *, INT, float, float *, INT);
typedef void dgemm_t(int, int, int, INT, INT, INT, double, const double *, INT, const double *, INT, double, double *, INT);
static sgemm_t *blas_sgemm;
static dgemm_t *dgemm;
EXPORT void set_blas(void *s, void *d) { blas_sgemm = s; dgemm = d; }

// Our own, a tile of TALL rows and WIDE columns in registers at a time. The second matrix is packed before, WIDE columns after
// WIDE columns: once, if it is used often. It is faster than NumPy's BLAS for these shapes, and where that lacks wide vectors.
#if defined __AVX512F__
enum { LANES = 16, TALL = 8, OURS = 1 };
#elif defined __AVX__
enum { LANES = 8, TALL = 4, OURS = 0 };
#elif defined __aarch64__
enum { LANES = 4, TALL = 8, OURS = 0 };
#else
enum { LANES = 4, TALL = 4, OURS = 0 };
#endif
enum { WIDE = 2 * LANES, DEEP = 256, BROAD = 128 };  // of a matrix that is packed for one use: so many rows and columns at once
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
static __attribute__((noinline)) void pack(long k, long n, const float *b, long bk, long bj, float *restrict to) {
    for (long j = 0; j < n; j += WIDE) {
        long m = n - j < WIDE ? n - j : WIDE;
        if (bj == 1) for (long l = 0; l < k; l++) memcpy(to + l * WIDE, b + l * bk + j, sizeof(float) * m);
        else for (long c = 0; c < m; c++) for (long l = 0; l < k; l++) to[l * WIDE + c] = b[l * bk + (j + c) * bj];
        if (m < WIDE) for (long l = 0; l < k; l++) for (long c = m; c < WIDE; c++) to[l * WIDE + c] = 0;
        to += k * WIDE;
    }
}
static inline __attribute__((always_inline)) void tile(long rows, long k, const float *restrict a, long ai, long ak, const float *restrict b, int add, float *restrict c, long ldc, long n) {
    lanes s[TALL][2];
    for (long i = 0; i < rows; i++) s[i][0] = s[i][1] = (lanes){0};
    for (long l = 0; l < k; l++) {
        const lanes left = *(const lanes *)(b + l * WIDE), right = *(const lanes *)(b + l * WIDE + LANES);
        for (long i = 0; i < rows; i++) {
            const float x = a[i * ai + l * ak];
            s[i][0] += x * left;
            s[i][1] += x * right;
        }
    }
    if (n < WIDE) for (long i = 0; i < rows; i++) for (long j = 0; j < n; j++) c[i * ldc + j] = (add ? c[i * ldc + j] : 0) + s[i][j / LANES][j % LANES];
    else for (long i = 0; i < rows; i++) for (long j = 0; j < 2; j++) {
        lanes *to = (lanes *)(c + i * ldc + j * LANES);
        if (add) *to += s[i][j];
        else *to = s[i][j];
    }
}
static __attribute__((noinline, noclone)) void packed(long m, long n, long k, const float *a, long ai, long ak, const float *b, int add, float *c, long ldc) {
    for (long j = 0; j < n; j += WIDE, b += k * WIDE) for (long l = 0; l < k; l += DEEP) {
        long deep = k - l < DEEP ? k - l : DEEP, i = 0;
        for (; i + TALL <= m; i += TALL) tile(TALL, deep, a + i * ai + l * ak, ai, ak, b + l * WIDE, add || l, c + i * ldc + j, ldc, n - j);
        for (; i < m; i++) tile(1, deep, a + i * ai + l * ak, ai, ak, b + l * WIDE, add || l, c + i * ldc + j, ldc, n - j);
    }
}
static __attribute__((noinline, noclone)) void sgemm(int order, int ta, int tb, long m, long n, long k, float alpha, const float *a, long lda, const float *b, long ldb, float beta, float *c, long ldc) {
    if (!OURS || m < TALL) {
        blas_sgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    long ai = ta == N ? lda : 1, ak = ta == N ? 1 : lda, bk = tb == N ? ldb : 1, bj = tb == N ? 1 : ldb;
    float part[DEEP * BROAD];
    for (long l = 0; l < k; l += DEEP) for (long j = 0; j < n; j += BROAD) {
        long deep = k - l < DEEP ? k - l : DEEP, broad = n - j < BROAD ? n - j : BROAD;
        pack(deep, broad, b + l * bk + j * bj, bk, bj, part);
        packed(m, broad, deep, a + l * ak, ai, ak, part, beta != 0 || l, c + j, ldc);
    }
}
#define SMALL_GEMM(rows, columns, inner, type, a, ai, ak, b, bk, bj, c) do { \
    const type *restrict A = a, *restrict B = b; type *restrict C = c; \
    for (long i = 0; i < rows; i++) { \
        for (long j = 0; j < columns; j++) C[i * columns + j] = 0; \
        for (long k = 0; k < inner; k++) for (long j = 0; j < columns; j++) C[i * columns + j] += A[i * ai + k * ak] * B[k * bk + j * bj]; \
    } } while (0)

// ---- convolution, channels last: patches of some images at a time, so that they stay in the cache, times the kernels
#define CONV_SHAPE long images, long H, long W, long C, long h, long w, long O, long kh, long kw, long sh, long sw, long ph, long pw, long dh, long dw
ALWAYS void patches(float *restrict p, const float *restrict x, CONV_SHAPE) {
    for (long n = 0; n < images; n++) for (long i = 0; i < h; i++) for (long j = 0; j < w; j++)
        for (long a = 0; a < kh; a++) {
            long y = i * sh - ph + a * dh, left = j * sw - pw;
            if (y >= 0 && y < H && dw == 1 && left >= 0 && left + kw <= W) {
                memcpy(p, x + ((n * H + y) * W + left) * C, sizeof(float) * kw * C);
                p += kw * C;
            } else for (long b = 0; b < kw; b++, p += C) {
                long z = left + b * dw;
                if (y >= 0 && y < H && z >= 0 && z < W) memcpy(p, x + ((n * H + y) * W + z) * C, sizeof(float) * C);
                else memset(p, 0, sizeof(float) * C);
            }
        }
}
ALWAYS void unpatch(const float *restrict p, float *restrict x, CONV_SHAPE) {
    memset(x, 0, sizeof(float) * images * H * W * C);
    for (long n = 0; n < images; n++) for (long i = 0; i < h; i++) for (long j = 0; j < w; j++)
        for (long a = 0; a < kh; a++) {
            long y = i * sh - ph + a * dh, left = j * sw - pw;
            if (y < 0 || y >= H) { p += kw * C; continue; }
            if (dw == 1 && left >= 0 && left + kw <= W) {
                float *restrict t = x + ((n * H + y) * W + left) * C;
                for (long c = 0; c < kw * C; c++) t[c] += p[c];
                p += kw * C;
            } else for (long b = 0; b < kw; b++, p += C) {
                long z = left + b * dw;
                if (z < 0 || z >= W) continue;
                float *restrict t = x + ((n * H + y) * W + z) * C;
                for (long c = 0; c < C; c++) t[c] += p[c];
            }
        }
}
#define SHAPE_OF(m) m, H, W, C, h, w, O, kh, kw, sh, sw, ph, pw, dh, dw
#define SOME_IMAGES for (long n = 0, m; n < images && (m = images - n < step ? images - n : step, 1); n += step)
ALWAYS void conv(long step, float *buffer, float *out, const float *x, const float *kernel, CONV_SHAPE) {
    SOME_IMAGES {
        patches(buffer, x + n * H * W * C, SHAPE_OF(m));
        sgemm(R, N, N, m * h * w, O, kh * kw * C, 1, buffer, kh * kw * C, kernel, O, 0, out + n * h * w * O, O);
    }
}
ALWAYS void conv_input(long step, float *buffer, float *out, const float *y, const float *kernel, CONV_SHAPE) {
    SOME_IMAGES {
        sgemm(R, N, N, m * h * w, kh * kw * C, O, 1, y + n * h * w * O, O, kernel, kh * kw * C, 0, buffer, kh * kw * C);
        unpatch(buffer, out + n * H * W * C, SHAPE_OF(m));
    }
}
ALWAYS void conv_weight(long step, float *buffer, float *out, const float *y, const float *x, CONV_SHAPE) {
    SOME_IMAGES {
        patches(buffer, x + n * H * W * C, SHAPE_OF(m));
        sgemm(R, T, N, O, kh * kw * C, m * h * w, 1, y + n * h * w * O, O, buffer, kh * kw * C, n > 0, out, kh * kw * C);
    }
}

// ---- positions: one that lies outside of what it indexes is noted, and another read in its place
static __thread int outside;
EXPORT int was_outside(void) { int place = outside; outside = 0; return place; }
#define WRAPPED(i, n) ((long)(i) + ((i) < 0 ? (long)(n) : 0))
#define AT(i, n, place) ((uint64_t)WRAPPED(i, n) < (uint64_t)(n) ? WRAPPED(i, n) : (outside = place, 0L))
