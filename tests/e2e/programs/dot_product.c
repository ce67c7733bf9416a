/* SPDX-License-Identifier: Apache-2.0 */
/* A dot product by OpenMP: with a thread on each CPU that the program may use. */
#include <omp.h>
#include <stdio.h>

#define COUNT 100000

static double first[COUNT], second[COUNT];

int main(void)
{
	double sum = 0;
	int i, threads = 0;

#pragma omp parallel for
	for (i = 0; i < COUNT; i++) {
		first[i] = i;
		second[i] = 2;
	}
#pragma omp parallel for reduction(+ : sum)
	for (i = 0; i < COUNT; i++)
		sum += first[i] * second[i];
#pragma omp parallel
#pragma omp atomic
	threads++;
	printf("%.0f by %d threads\n", sum, threads);
	return 0;
}
