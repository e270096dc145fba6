/* BUILD: -pthread
 *
 * lock_pairs.c - N times lock and unlock of a mutex that nobody else wants.
 */
#include <pthread.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	for (long n = argc > 1 ? atol(argv[1]) : 0; n > 0; n--) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	return 0;
}
