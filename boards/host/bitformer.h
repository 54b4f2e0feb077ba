/* The host's end of bitformer's framed protocol, for C99: one header, no memory of its own, no
 * dependency but the C library's headers. docs/protocol.md describes the protocol.
 *
 * Fill in a bitformer_port, call bitformer_read once, then bitformer_infer for every window:
 *
 *     bitformer_port port = {.send = my_send, .receive = my_receive, .context = &uart,
 *                            .retries = 3, .sequence = my_clock()};
 *     uint8_t buffer[BITFORMER_FRAME(BITFORMER_REGISTERS)];   // the longest frame of all requests
 *     bitformer_registers facts;
 *     if (bitformer_read(&port, buffer, sizeof buffer, &facts) != BITFORMER_OK) ...
 *
 * Integers of windows and results are int16_t whatever their size on the line. One of a window that
 * the input's bits do not hold goes as the nearest that they do; port.clipped says how many did, and
 * port.ends how many results may be clipped. More than a few: train with --range. Every wait ends: when `receive` has
 * brought nothing in its own time-out, or too much that is no frame.
 */
#ifndef BITFORMER_H
#define BITFORMER_H

#include <stddef.h>
#include <stdint.h>

#define BITFORMER_SYNC 0xA5u
#define BITFORMER_VERSION 4u
#define BITFORMER_NAK 0xFFu
#define BITFORMER_ANSWER 0x80u
#define BITFORMER_REGISTERS 58u
#define BITFORMER_PASSED 0xFFu
/* Bytes of a frame before its payload, and of one with a payload of n bytes. */
#define BITFORMER_HEADER 8u
#define BITFORMER_FRAME(n) ((n) + 12u)
/* Reads in which a line that is not silent must bring a frame, or fall silent; frames of others. */
#define BITFORMER_READS 64u
#define BITFORMER_OTHERS 16u

/* In `features`: numbers are an ADC's words, from 0 on; then the int16_t of windows and results are
 * uint16_t by their bits. */
#define BITFORMER_UNSIGNED 8u

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
    BITFORMER_DAMAGED = -2,  /* frames were heard, and not one whole */
    BITFORMER_ROOM = -3,     /* the buffer is too small */
    BITFORMER_OTHER = -4,    /* another device, version or number of integers */
    BITFORMER_NOISE = -5,    /* what was heard is no answer, or no frame: another baud rate? */
    BITFORMER_FOREIGN = -6   /* answers to another's requests were heard */
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
    /* Of the last request; leave it alone after setting it to where the session begins. Let that
     * differ from one start to the next (a clock, a counter that survives): then a late answer is
     * never taken for another's. */
    uint32_t sequence;
    /* Requests so far, and whether one was answered; leave them alone. */
    uint32_t asked;
    unsigned answered;
    /* Of the last bitformer_infer: integers of the window that the input's bits did not hold, and
     * results that stand at an end of their range, where what lies beyond stands, too. */
    uint16_t clipped, ends;
} bitformer_port;

typedef struct {
    uint8_t version, features, input_bits, result_bits;
    uint16_t inputs, results, capacity;
    uint8_t vectors;
    uint32_t latency, clock_hz, cycles;
    uint8_t model_hash[8], structure[4], status;
    uint16_t counters[8];
    /* Numbers of windows, and results, that stood at an end of their range; windows of which a
     * classifier said no class. */
    uint16_t input_ends, result_ends, rejected;
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

static inline void bitformer_put(uint8_t *bytes, uint32_t value, unsigned count) {
    for (unsigned k = 0; k < count; k++)
        bytes[k] = (uint8_t)(value >> (8 * k) & 0xFFu);
}

/* Puts header and CRC around the payload that stands behind the header; returns the frame's
 * bytes. */
static inline size_t bitformer_wrap(uint8_t *buffer, uint32_t sequence, uint8_t command,
                                    uint16_t length) {
    buffer[0] = BITFORMER_SYNC;
    bitformer_put(buffer + 1, length, 2);
    bitformer_put(buffer + 3, sequence, 4);
    buffer[7] = command;
    uint32_t crc = bitformer_crc(buffer + 1, BITFORMER_HEADER - 1u + length);
    bitformer_put(buffer + BITFORMER_HEADER + length, crc, 4);
    return BITFORMER_FRAME((size_t)length);
}

/* Checks a frame of `count` bytes at most. */
static inline int bitformer_check(const uint8_t *buffer, size_t count) {
    if (buffer[0] != BITFORMER_SYNC)
        return BITFORMER_NOISE;
    size_t length = bitformer_little(buffer + 1, 2), end = BITFORMER_HEADER + length;
    if (BITFORMER_FRAME(length) > count)
        return BITFORMER_DAMAGED;
    if (bitformer_little(buffer + end, 4) != bitformer_crc(buffer + 1, end - 1))
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
    size_t have = 0, passed = 0;
    for (unsigned reads = 0; have < BITFORMER_HEADER; reads++) {
        size_t more = port->receive(port->context, buffer + have, BITFORMER_HEADER - have);
        if (more == 0 || reads == BITFORMER_READS)
            return have ? BITFORMER_DAMAGED : passed ? BITFORMER_NOISE : BITFORMER_TIMEOUT;
        have += more;
        size_t before = 0;
        while (before < have && buffer[before] != BITFORMER_SYNC)
            before++;
        have -= before;
        passed += before;
        for (size_t k = 0; k < have; k++)
            buffer[k] = buffer[k + before];
    }
    size_t length = bitformer_little(buffer + 1, 2), left = length + 4;
    if (length > expected)
        return BITFORMER_DAMAGED;
    if (port->receive(port->context, buffer + BITFORMER_HEADER, left) < left)
        return BITFORMER_DAMAGED;
    return bitformer_check(buffer, BITFORMER_FRAME(length));
}

/* One try: a request and what answers it, which is BITFORMER_OK, a refusal's reason, or less. */
static inline int bitformer_try(bitformer_port *port, uint8_t *buffer, uint8_t command,
                                uint16_t length, uint16_t expected) {
    port->send(port->context, buffer, bitformer_wrap(buffer, port->sequence, command, length));
    for (unsigned k = 0; k < BITFORMER_OTHERS; k++) {
        int result = bitformer_hear(port, buffer, expected ? expected : 1u);
        if (result == BITFORMER_TIMEOUT && k > 0)
            return BITFORMER_NOISE;
        if (result != BITFORMER_OK)
            return result;
        uint32_t size = bitformer_little(buffer + 1, 2);
        uint32_t ago = port->sequence - bitformer_little(buffer + 3, 4);
        /* of a refusal, the number may be as damaged as the frame that it refuses was */
        if (buffer[7] == BITFORMER_NAK && size == 1 &&
            (ago == 0 || buffer[BITFORMER_HEADER] != BITFORMER_COMMAND))
            return buffer[BITFORMER_HEADER];
        /* registers of another version have another length */
        unsigned other = command == BITFORMER_CMD_READ && size > 2;
        if (ago == 0 && buffer[7] == (command | BITFORMER_ANSWER) && (size == expected || other)) {
            port->answered = 1;
            return BITFORMER_OK;
        }
        /* before the first answer of a session, those of an earlier one may arrive */
        if (port->answered && ago >= port->asked)
            return BITFORMER_FOREIGN;
    }
    return BITFORMER_FOREIGN;
}

/* Whether the line falls silent. */
static inline int bitformer_settle(bitformer_port *port, uint8_t *buffer, size_t room) {
    for (unsigned k = 0; k < BITFORMER_READS; k++)
        if (port->spi || port->receive(port->context, buffer, room) < 1)
            return BITFORMER_OK;
    return BITFORMER_NOISE;
}

/* Asks, and asks again where that can help. The payload is written by `fill(data, payload)` before
 * every try, as the answer, `expected` bytes, is left in its place, buffer + BITFORMER_HEADER. */
static inline int bitformer_ask(bitformer_port *port, uint8_t *buffer, size_t room,
                                uint8_t command, void (*fill)(const void *, uint8_t *),
                                const void *data, uint16_t length, uint16_t expected) {
    size_t longest = length > expected ? length : expected;
    int problem = BITFORMER_TIMEOUT;
    if (room < BITFORMER_FRAME(longest ? longest : 1u))
        return BITFORMER_ROOM;
    port->sequence++;
    port->asked++;
    for (unsigned attempt = 0; attempt <= port->retries; attempt++) {
        if (fill)
            fill(data, buffer + BITFORMER_HEADER);
        int result = bitformer_try(port, buffer, command, length, expected);
        if (result == BITFORMER_OK || result == BITFORMER_COMMAND || result == BITFORMER_FOREIGN)
            return result;
        if (result == BITFORMER_TIMEOUT)
            continue;
        problem = result;
        /* a refusal may be an earlier one's: let what is under way come to its end */
        if (bitformer_settle(port, buffer, room) != BITFORMER_OK)
            return BITFORMER_NOISE;
    }
    return problem;
}

/* The registers; `buffer` has BITFORMER_FRAME(BITFORMER_REGISTERS) bytes or more. */
static inline int bitformer_read(bitformer_port *port, uint8_t *buffer, size_t room,
                                 bitformer_registers *facts) {
    int result =
        bitformer_ask(port, buffer, room, BITFORMER_CMD_READ, NULL, NULL, 0, BITFORMER_REGISTERS);
    if (result != BITFORMER_OK)
        return result;
    const uint8_t *p = buffer + BITFORMER_HEADER;
    if (p[0] != 'B' || p[1] != 'F' || p[2] != BITFORMER_VERSION ||
        bitformer_little(buffer + 1, 2) != BITFORMER_REGISTERS)
        return BITFORMER_OTHER;
    if (p[4] < 1 || p[4] > 16 || p[5] < 1 || p[5] > 16)
        return BITFORMER_OTHER;
    facts->version = p[2];
    facts->features = p[3];
    facts->input_bits = p[4];
    facts->result_bits = p[5];
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
    facts->input_ends = (uint16_t)bitformer_little(p + 52, 2);
    facts->result_ends = (uint16_t)bitformer_little(p + 54, 2);
    facts->rejected = (uint16_t)bitformer_little(p + 56, 2);
    return BITFORMER_OK;
}

typedef struct {
    const int16_t *numbers;
    uint16_t count;
    uint8_t bits, features;
} bitformer_window;

/* The lowest and the highest number of so many bits, signed or from 0 on. */
static inline int32_t bitformer_least(uint8_t bits, uint8_t features) {
    return features & BITFORMER_UNSIGNED ? 0 : -((int32_t)1 << (bits - 1));
}

static inline int32_t bitformer_most(uint8_t bits, uint8_t features) {
    return ((int32_t)1 << (features & BITFORMER_UNSIGNED ? bits : bits - 1)) - 1;
}

static inline void bitformer_fill(const void *data, uint8_t *out) {
    const bitformer_window *window = (const bitformer_window *)data;
    unsigned bytes = (window->bits + 7u) / 8u;
    int32_t least = bitformer_least(window->bits, window->features);
    int32_t most = bitformer_most(window->bits, window->features);
    int is_unsigned = (window->features & BITFORMER_UNSIGNED) != 0;
    for (uint16_t k = 0; k < window->count; k++) {
        int32_t value = is_unsigned ? (uint16_t)window->numbers[k] : window->numbers[k];
        value = value > most ? most : value < least ? least : value;
        bitformer_put(out + k * bytes, (uint32_t)value, bytes);
    }
}

/* The results, facts->results of them, for a window of facts->inputs integers; `clipped` and `ends`
 * of the port count what is at its limit. `buffer` has BITFORMER_FRAME(facts->capacity) bytes or
 * more. */
static inline int bitformer_infer(bitformer_port *port, uint8_t *buffer, size_t room,
                                  const bitformer_registers *facts, const int16_t *window,
                                  int16_t *results) {
    bitformer_window input = {window, facts->inputs, facts->input_bits, facts->features};
    int is_unsigned = (facts->features & BITFORMER_UNSIGNED) != 0;
    int32_t least = bitformer_least(facts->input_bits, facts->features);
    int32_t most = bitformer_most(facts->input_bits, facts->features);
    unsigned bytes = (facts->result_bits + 7u) / 8u;
    uint32_t length = (uint32_t)facts->inputs * ((facts->input_bits + 7u) / 8u);
    uint32_t expected = (uint32_t)facts->results * bytes;
    if (length > 0xFFFFu || expected > 0xFFFFu)
        return BITFORMER_OTHER;
    port->clipped = port->ends = 0;
    for (uint16_t k = 0; k < facts->inputs; k++) {
        int32_t value = is_unsigned ? (uint16_t)window[k] : window[k];
        if (value < least || value > most)
            port->clipped++;
    }
    least = bitformer_least(facts->result_bits, facts->features);
    most = bitformer_most(facts->result_bits, facts->features);
    int result = bitformer_ask(port, buffer, room, BITFORMER_CMD_INFER, bitformer_fill, &input,
                               (uint16_t)length, (uint16_t)expected);
    if (result != BITFORMER_OK)
        return result;
    for (uint16_t k = 0; k < facts->results; k++) {
        uint32_t value = bitformer_little(buffer + BITFORMER_HEADER + k * bytes, bytes);
        int32_t half = bytes == 2 ? 0x8000 : facts->features & BITFORMER_UNSIGNED ? 0 : 0x80;
        results[k] = (int16_t)(((int32_t)value ^ half) - half);
        int32_t number = is_unsigned ? (uint16_t)results[k] : results[k];
        if (number == least || number == most)
            port->ends++;
    }
    return BITFORMER_OK;
}

/* Lets the chip replay its golden vectors: *wrong is the first that comes out wrong, or
 * BITFORMER_PASSED. */
static inline int bitformer_self_test(bitformer_port *port, uint8_t *buffer, size_t room,
                                      uint8_t *wrong) {
    int result = bitformer_ask(port, buffer, room, BITFORMER_CMD_SELF_TEST, NULL, NULL, 0, 1);
    if (result == BITFORMER_OK)
        *wrong = buffer[BITFORMER_HEADER];
    return result;
}

#endif
