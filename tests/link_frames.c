/* The C frame reader and writer for the tests: requests on standard input, answers on standard
 * output, each a letter and a 32-bit length before its bytes.
 * 'r' bytes: what kd_frame_push makes of them, one item after the other: 'f' frame content, 't'
 * text, 'c', 'x', 'l', 'o' dropped for COBS, CRC, length, a command that is too long; then 'e'.
 * 'w' type, sequence (16 bits), payload: the sealed frame, as 'f'.
 * 'd' bytes: decoded, as 'f', or 'c'. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kd_crc32.h"
#include "kd_frame.h"

static void answer(char letter, const uint8_t *bytes, size_t n)
{
    const uint32_t length = (uint32_t)n;
    fputc(letter, stdout);
    fwrite(&length, sizeof length, 1, stdout);
    if (n > 0u) {
        fwrite(bytes, 1, n, stdout);
    }
}

static void read_frames(const uint8_t *bytes, size_t n)
{
    /* On the heap and exactly as large as needed, so that the sanitizers see its ends. */
    kd_frame_reader *reader = calloc(1, sizeof *reader);
    for (size_t i = 0; i < n; i++) {
        const kd_status status = kd_frame_push(reader, bytes[i]);
        if (status == KD_STATUS_FRAME) {
            answer('f', reader->bytes, reader->n);
        } else if (status == KD_STATUS_TEXT) {
            answer('t', reader->bytes, strlen((const char *)reader->bytes));
        } else if (status != KD_STATUS_MORE) {
            answer("cxlo"[status - KD_STATUS_BAD_COBS], NULL, 0);
        }
    }
    free(reader);
    answer('e', NULL, 0);
}

static void write_frame(const uint8_t *bytes, size_t n)
{
    uint8_t *buffer = malloc(KD_FRAME_SEND_BYTES);
    memcpy(buffer + KD_FRAME_PAYLOAD_AT, bytes + 3, n - 3u);
    const uint16_t sequence = (uint16_t)(bytes[1] | (uint32_t)bytes[2] << 8);
    answer('f', buffer, kd_frame_seal(buffer, bytes[0], sequence, n - 3u));
    free(buffer);
}

static void decode(uint8_t *bytes, size_t n)
{
    const size_t decoded = kd_cobs_decode(bytes, n);
    if (decoded == n) {
        answer('c', NULL, 0);
    } else {
        answer('f', bytes, decoded);
    }
}

int main(void)
{
    int letter;
    while ((letter = fgetc(stdin)) != EOF) {
        uint32_t n = 0;
        if (fread(&n, sizeof n, 1, stdin) != 1u) {
            return 1;
        }
        uint8_t *bytes = malloc(n + 1u);
        if (fread(bytes, 1, n, stdin) != n) {
            return 1;
        }
        if (letter == 'r') {
            read_frames(bytes, n);
        } else if (letter == 'w') {
            write_frame(bytes, n);
        } else {
            decode(bytes, n);
        }
        free(bytes);
        fflush(stdout);
    }
    return 0;
}
