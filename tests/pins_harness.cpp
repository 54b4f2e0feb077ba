// Drives the pins of a compiled shell: a UART's line bit by bit, an SPI bus at any phase and ratio
// of its clock to the design's. It is compiled behind the C++ that Yosys writes for a design, with
// BITFORMER_UART or BITFORMER_SPI saying which pins there are, and BITFORMER_BUSY one more.

#include <cstdint>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace bitformer {

struct Link {
    cxxrtl_design::p_top top;

    // One clock cycle: outputs are read before the edge that changes them.
    void settle(bool rising) {
        top.p_clk.set<uint32_t>(1);
        top.prev_p_clk.set<uint32_t>(!rising);
        top.eval();
    }

    void cycle() {
        settle(true);
        top.commit();
    }

#ifdef BITFORMER_UART
    // What is heard on tx: a byte is sampled in the middle of its bits.
    int64_t countdown = 0;
    int bits = 0;
    uint32_t heard = 0;
    int64_t broken = 0;

    void listen(int64_t divisor, uint8_t *out, int64_t room, int64_t &count) {
        uint32_t level = top.p_tx.get<uint32_t>();
        if (bits == 0) {
            if (!level) {
                bits = 10;
                countdown = divisor / 2;
            }
            return;
        }
        if (--countdown > 0)
            return;
        countdown = divisor;
        bits--;
        if (bits == 9)
            broken += level;  // a start bit that is over by its middle
        else if (bits > 0)
            heard = heard >> 1 | level << 7;
        else if (!level)
            broken++;
        else if (count < room)
            out[count++] = uint8_t(heard);
    }

    // Plays `count` levels of `divisor` cycles each; stops early once `room` bytes were heard.
    int64_t uart(const uint8_t *levels, int64_t count, int64_t divisor, uint8_t *out,
                 int64_t room) {
        int64_t got = 0;
        for (int64_t k = 0; k < count; k++) {
            top.p_rx.set<uint32_t>(levels[k]);
            for (int64_t c = 0; c < divisor; c++) {
                settle(true);
                listen(divisor, out, room, got);
                top.commit();
            }
        }
        return got;
    }
#endif

#ifdef BITFORMER_SPI
    double now = 0;  // of the next clock edge, in cycles; pins change in between

    void until(double time) {
        for (; now < time; now += 1)
            cycle();
    }

    uint32_t miso() {
        settle(false);
        return top.p_miso.get<uint32_t>();
    }

    // A transfer of `count` bits, most significant first, with SCK at `period` cycles, `lead`
    // cycles from chip select to the first bit's edge, and `rest` cycles without chip select behind
    // it. Bits are read where SCK rises, or, with `falls`, where it falls.
    void spi(const uint8_t *out, uint8_t *in, int64_t count, double period, double lead,
             double rest, double phase, uint32_t falls) {
        double time = now + phase;
        until(time);
        top.p_cs.set<uint32_t>(1);
        time += lead;
        for (int64_t k = 0; k < count; k++) {
            until(time - period / 2);
            top.p_sck.set<uint32_t>(falls);
            top.p_mosi.set<uint32_t>(out[k / 8] >> (7 - k % 8) & 1);
            until(time);
            // a master samples at the edge what was there before it
            in[k / 8] = uint8_t(in[k / 8] << 1 | miso());
            top.p_sck.set<uint32_t>(!falls);
            time += period;
        }
        until(time - period / 2);
        top.p_sck.set<uint32_t>(0);
        until(time);
        top.p_cs.set<uint32_t>(0);
        until(time + rest);
    }
#endif
};

}  // namespace bitformer

EXPORTED bitformer::Link *bitformer_link_new() { return new bitformer::Link; }

EXPORTED void bitformer_link_delete(bitformer::Link *link) { delete link; }

EXPORTED void bitformer_link_idle(bitformer::Link *link, int64_t cycles) {
    for (int64_t c = 0; c < cycles; c++)
        link->cycle();
}

EXPORTED void bitformer_link_reset(bitformer::Link *link, int64_t cycles) {
    link->top.p_i__reset.set<uint32_t>(1);
    bitformer_link_idle(link, cycles);
    link->top.p_i__reset.set<uint32_t>(0);
    bitformer_link_idle(link, cycles);
}

#ifdef BITFORMER_UART
EXPORTED int64_t bitformer_link_uart(bitformer::Link *link, const uint8_t *levels, int64_t count,
                                     int64_t divisor, uint8_t *out, int64_t room) {
    return link->uart(levels, count, divisor, out, room);
}

EXPORTED int64_t bitformer_link_broken(bitformer::Link *link) { return link->broken; }
#endif

#ifdef BITFORMER_SPI
EXPORTED void bitformer_link_spi(bitformer::Link *link, const uint8_t *out, uint8_t *in,
                                 int64_t count, double period, double lead, double rest,
                                 double phase, int64_t falls) {
    link->spi(out, in, count, period, lead, rest, phase, uint32_t(falls));
}
#endif

#ifdef BITFORMER_BUSY
EXPORTED int64_t bitformer_link_busy(bitformer::Link *link) {
    link->settle(false);
    return link->top.p_busy.get<uint32_t>();
}
#endif
