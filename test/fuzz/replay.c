/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Runs a fuzz target over the files of a corpus folder, once each: what ctest
 * does where libFuzzer is not linked.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return -1;
	}
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
	size_t got = data ? fread(data, 1, (size_t)size, file) : 0;
	fclose(file);
	if (!data || got != (size_t)size) {
		free(data);
		fprintf(stderr, "%s: short read\n", path);
		return -1;
	}
	LLVMFuzzerTestOneInput(data, got);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int count = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1;
	int replayed = 0;

	if (count < 0) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < count; i++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			if (replay_file(path))
				return 1;
			replayed++;
		}
		free(names[i]);
	}
	free(names);
	printf("%d inputs replayed\n", replayed);
	return replayed ? 0 : 1;
}
