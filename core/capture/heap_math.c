/*
 * heap_math.c - logarithm and exponential as far as sampling needs them; see
 * heap_math.h. Context: PP_ANY.
 */
#include "pp.h"

#include <string.h>

#include "heap_math.h"
#include "rows.h"

#define LN2 0.693147180559945309417232121458
#define TWO_TO_MINUS_64 (1.0 / 18446744073709551616.0)

/* ln((1+t)/(1-t)) = 2 (t + t^3/3 + t^5/5 + ...) for |t| <= 0.1716: the first
 * term left out is below 2 * 0.1716^19 / 19 < 3e-16. */
static double log_ratio(double t)
{
	double t2 = t * t, sum = 0;

	for (int n = 17; n >= 1; n -= 2)
		sum = sum * t2 + 1.0 / n;
	return 2 * t * sum;
}

/* ln(u), 0 < u < 1 and normal: u = m 2^e with m in [sqrt(1/2), sqrt(2)]. */
static double log_below_1(double u)
{
	uint64_t bits;
	double m;
	int e;

	memcpy(&bits, &u, sizeof(bits));
	e = (int)(bits >> 52) - 1023;
	bits = (bits & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1023) << 52);
	memcpy(&m, &bits, sizeof(m));
	if (m > 1.41421356237309515) {
		m /= 2;
		e++;
	}
	return e * LN2 + log_ratio((m - 1) / (m + 1));
}

double heap_exponential(uint64_t random)
{
	double v;

	/* Both ends keep their full precision: near u = 0 by counting from
	 * there, near u = 1 by -ln(1 - v) = ln((1+t)/(1-t)), t = v / (2 - v).
	 */
	if (random >= UINT64_C(1) << 62)
		return -log_below_1(((double)~random + 0.5) * TWO_TO_MINUS_64);
	v = ((double)random + 0.5) * TWO_TO_MINUS_64;
	return log_ratio(v / (2 - v));
}

/* exp(-r) - 1 for |r| <= ln(2)/2: the first term left out of the series is
 * below 0.3466^14 / 14! < 5e-18. */
static double expm1_of_minus(double r)
{
	double sum = 1;

	for (int n = 13; n >= 2; n--)
		sum = 1 - sum * r / n;
	return -r * sum;
}

double heap_inverse_chance(double x)
{
	double n, scale = 1;

	if (x > 40)
		return 1; /* exp(-40) is below 2^-57 */
	/* x = n ln 2 + r; 1 - exp(-x) = (1 - 2^-n) - 2^-n (exp(-r) - 1), where
	 * nothing cancels: 1 - 2^-n is 0 or at least 1/2. */
	n = (double)(int)(x / LN2 + 0.5);
	for (int i = 0; i < (int)n; i++)
		scale /= 2;
	return 1 / ((1 - scale) - scale * expm1_of_minus(x - n * LN2));
}

uint64_t heap_gap(uint64_t random, uint64_t rate)
{
	if (rate <= 1)
		return 0;
	return (uint64_t)(heap_exponential(random) * (double)rate);
}

uint64_t heap_weight(uint64_t s, uint64_t rate)
{
	if (rate <= 1)
		return ROW_ONE;
	return (uint64_t)(heap_inverse_chance((double)s / (double)rate) *
				  (double)ROW_ONE +
			  0.5);
}
