/* The host's end of bitformer's framed protocol, for C99: one header, no memory of its own, no
 * dependency but the C library's headers. docs/protocol.md describes the protocol.
 *
 * Fill in a bitformer_port, call bitformer_read once, then bitformer_infer for every window:
 *
 *     bitformer_port port = {.send = my_send, .receive = my_receive, .context = &uart};
 *     uint8_t buffer[BITFORMER_FRAME(BITFORMER_REGISTERS)];   // the longest frame of all requests
 *     bitformer_registers facts;
 *     if (bitformer_read(&port, buffer, sizeof buffer, &facts) != BITFORMER_OK) ...
 *
 * Integers of windows and results are int16_t whatever their size on the line.
 */
#ifndef BITFORMER_H
#define BITFORMER_H

#include <stddef.h>
#include <stdint.h>

#define BITFORMER_SYNC 0xA5u
#define BITFORMER_VERSION 1u
#define BITFORMER_NAK 0xFFu
#define BITFORMER_ANSWER 0x80u
#define BITFORMER_REGISTERS 52u
#define BITFORMER_PASSED 0xFFu
/* Bytes of a frame with a payload of n bytes. */
#define BITFORMER_FRAME(n) ((n) + 9u)

enum { BITFORMER_CMD_READ = 1, BITFORMER_CMD_INFER = 2, BITFORMER_CMD_SELF_TEST = 3 };

/* What a function returns: BITFORMER_OK, a negative number, or the reason of the last refusal. */
enum {
    BITFORMER_OK = 0,
    BITFORMER_LINE = 1,
    BITFORMER_START = 2,
    BITFORMER_TRUNCATED = 3,
    BITFORMER_LENGTH = 4,
    BITFORMER_CRC = 5,
    BITFORMER_COMMAND = 6,
    BITFORMER_OVERRUN = 7,
    BITFORMER_TIMEOUT = -1,  /* nothing was heard */
    BITFORMER_DAMAGED = -2,  /* what was heard was no frame */
    BITFORMER_ROOM = -3,     /* the buffer is too small */
    BITFORMER_OTHER = -4     /* another device, version or number of integers */
};

typedef struct {
    /* Sends `count` bytes. On SPI: one transfer, from chip select to chip select. */
    void (*send)(void *context, const uint8_t *bytes, size_t count);
    /* Receives up to `count` bytes and returns how many came before its time-out, which is longer
     * than the shell's gap (50 ms). On SPI: one transfer of `count` zeros; see `spi`. */
    size_t (*receive)(void *context, uint8_t *bytes, size_t count);
    void *context;
    /* On SPI, an answer is read in one transfer, and there is none yet while it begins with 0:
     * how many transfers to try. 0 for a serial port. */
    unsigned spi;
    /* Tries after the first. */
    unsigned retries;
    /* Of the last request; leave it alone. */
    uint8_t sequence;
} bitformer_port;

typedef struct {
    uint8_t version, features, input_bytes, result_bytes;
    uint16_t inputs, results, capacity;
    uint8_t vectors;
    uint32_t latency, clock_hz, cycles;
    uint8_t model_hash[8], structure[4], status;
    uint16_t counters[8];
} bitformer_registers;

/* CRC-32 (IEEE 802.3, reflected), four bits at a time. */
static inline uint32_t bitformer_crc(const uint8_t *bytes, size_t count) {
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
        0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
        0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t k = 0; k < count; k++) {
        crc ^= bytes[k];
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return crc ^ 0xFFFFFFFFu;
}

static inline uint32_t bitformer_little(const uint8_t *bytes, unsigned count) {
    uint32_t value = 0;
    for (unsigned k = count; k-- > 0;)
        value = value << 8 | bytes[k];
    return value;
}

/* Puts header and CRC around the payload that stands in buffer + 5; returns the frame's bytes. */
static inline size_t bitformer_wrap(uint8_t *buffer, uint8_t sequence, uint8_t command,
                                    uint16_t length) {
    buffer[0] = BITFORMER_SYNC;
    buffer[1] = (uint8_t)(length & 0xFFu);
    buffer[2] = (uint8_t)(length >> 8);
    buffer[3] = sequence;
    buffer[4] = command;
    uint32_t crc = bitformer_crc(buffer + 1, 4u + length);
    for (unsigned k = 0; k < 4; k++)
        buffer[5u + length + k] = (uint8_t)(crc >> (8 * k) & 0xFFu);
    return BITFORMER_FRAME((size_t)length);
}

/* Checks a frame of `count` bytes at most. */
static inline int bitformer_check(const uint8_t *buffer, size_t count) {
    if (count < 9 || buffer[0] != BITFORMER_SYNC)
        return BITFORMER_DAMAGED;
    size_t length = bitformer_little(buffer + 1, 2);
    if (BITFORMER_FRAME(length) > count)
        return BITFORMER_DAMAGED;
    if (bitformer_little(buffer + 5 + length, 4) != bitformer_crc(buffer + 1, 4 + length))
        return BITFORMER_DAMAGED;
    return BITFORMER_OK;
}

/* One frame into the buffer, of `expected` payload bytes at most. */
static inline int bitformer_hear(bitformer_port *port, uint8_t *buffer, size_t expected) {
    size_t whole = BITFORMER_FRAME(expected);
    if (port->spi) {
        for (unsigned k = 0; k < port->spi; k++) {
            if (port->receive(port->context, buffer, whole) < whole)
                return BITFORMER_TIMEOUT;
            if (buffer[0] != 0)
                return bitformer_check(buffer, whole);
        }
        return BITFORMER_TIMEOUT;
    }
    do {
        if (port->receive(port->context, buffer, 1) < 1)
            return BITFORMER_TIMEOUT;
    } while (buffer[0] != BITFORMER_SYNC);
    if (port->receive(port->context, buffer + 1, 4) < 4)
        return BITFORMER_TIMEOUT;
    size_t length = bitformer_little(buffer + 1, 2);
    if (length > expected)
        return BITFORMER_DAMAGED;
    if (port->receive(port->context, buffer + 5, length + 4) < length + 4)
        return BITFORMER_TIMEOUT;
    return bitformer_check(buffer, BITFORMER_FRAME(length));
}

/* Asks, and asks again where that can help. The payload is written by `fill(data, buffer + 5)`
 * before every try, as the answer, `expected` bytes, is left in buffer + 5. */
static inline int bitformer_ask(bitformer_port *port, uint8_t *buffer, size_t room,
                                uint8_t command, void (*fill)(const void *, uint8_t *),
                                const void *data, uint16_t length, uint16_t expected) {
    size_t longest = length > expected ? length : expected;
    int result = BITFORMER_TIMEOUT;
    if (room < BITFORMER_FRAME(longest ? longest : 1u))
        return BITFORMER_ROOM;
    port->sequence++;
    for (unsigned attempt = 0; attempt <= port->retries; attempt++) {
        if (fill)
            fill(data, buffer + 5);
        port->send(port->context, buffer, bitformer_wrap(buffer, port->sequence, command, length));
        for (;;) {
            result = bitformer_hear(port, buffer, expected ? expected : 1u);
            if (result != BITFORMER_OK)
                break;
            uint32_t size = bitformer_little(buffer + 1, 2);
            if (buffer[4] == BITFORMER_NAK && size == 1) {
                result = buffer[5];
                break;
            }
            if (buffer[4] == (command | BITFORMER_ANSWER) && buffer[3] == port->sequence &&
                size == expected)
                return BITFORMER_OK;
        }
        if (result == BITFORMER_COMMAND)
            break;
        /* a refusal may be an earlier one's: let what is under way come to its end */
        if (result != BITFORMER_TIMEOUT && !port->spi)
            while (port->receive(port->context, buffer, 1)) {
            }
    }
    return result;
}

/* The registers; `buffer` has BITFORMER_FRAME(BITFORMER_REGISTERS) bytes or more. */
static inline int bitformer_read(bitformer_port *port, uint8_t *buffer, size_t room,
                                 bitformer_registers *facts) {
    int result =
        bitformer_ask(port, buffer, room, BITFORMER_CMD_READ, NULL, NULL, 0, BITFORMER_REGISTERS);
    if (result != BITFORMER_OK)
        return result;
    const uint8_t *p = buffer + 5;
    if (p[0] != 'B' || p[1] != 'F' || p[2] != BITFORMER_VERSION)
        return BITFORMER_OTHER;
    facts->version = p[2];
    facts->features = p[3];
    facts->input_bytes = p[4];
    facts->result_bytes = p[5];
    facts->inputs = (uint16_t)bitformer_little(p + 6, 2);
    facts->results = (uint16_t)bitformer_little(p + 8, 2);
    facts->capacity = (uint16_t)bitformer_little(p + 10, 2);
    facts->vectors = p[12];
    facts->latency = bitformer_little(p + 13, 3);
    for (unsigned k = 0; k < 8; k++)
        facts->model_hash[k] = p[16 + k];
    for (unsigned k = 0; k < 4; k++)
        facts->structure[k] = p[24 + k];
    facts->clock_hz = bitformer_little(p + 28, 4);
    for (unsigned k = 0; k < 8; k++)
        facts->counters[k] = (uint16_t)bitformer_little(p + 32 + 2 * k, 2);
    facts->status = p[48];
    facts->cycles = bitformer_little(p + 49, 3);
    return BITFORMER_OK;
}

typedef struct {
    const int16_t *numbers;
    uint16_t count;
    uint8_t bytes;
} bitformer_window;

static inline void bitformer_fill(const void *data, uint8_t *out) {
    const bitformer_window *window = (const bitformer_window *)data;
    for (uint16_t k = 0; k < window->count; k++) {
        uint16_t value = (uint16_t)window->numbers[k];
        for (uint8_t b = 0; b < window->bytes; b++)
            *out++ = (uint8_t)(value >> (8 * b) & 0xFFu);
    }
}

/* The results, facts->results of them, for a window of facts->inputs integers. `buffer` has
 * BITFORMER_FRAME(facts->capacity) bytes or more. */
static inline int bitformer_infer(bitformer_port *port, uint8_t *buffer, size_t room,
                                  const bitformer_registers *facts, const int16_t *window,
                                  int16_t *results) {
    bitformer_window input = {window, facts->inputs, facts->input_bytes};
    uint16_t length = (uint16_t)(facts->inputs * facts->input_bytes);
    uint16_t expected = (uint16_t)(facts->results * facts->result_bytes);
    int result = bitformer_ask(port, buffer, room, BITFORMER_CMD_INFER, bitformer_fill, &input,
                               length, expected);
    if (result != BITFORMER_OK)
        return result;
    for (uint16_t k = 0; k < facts->results; k++) {
        const uint8_t *p = buffer + 5 + k * facts->result_bytes;
        uint32_t value = bitformer_little(p, facts->result_bytes);
        int32_t half = facts->result_bytes == 1 ? 0x80 : 0x8000;
        results[k] = (int16_t)(((int32_t)value ^ half) - half);
    }
    return BITFORMER_OK;
}

/* Lets the chip replay its golden vectors: *wrong is the first that comes out wrong, or
 * BITFORMER_PASSED. */
static inline int bitformer_self_test(bitformer_port *port, uint8_t *buffer, size_t room,
                                      uint8_t *wrong) {
    int result = bitformer_ask(port, buffer, room, BITFORMER_CMD_SELF_TEST, NULL, NULL, 0, 1);
    if (result == BITFORMER_OK)
        *wrong = buffer[5];
    return result;
}

#endif
