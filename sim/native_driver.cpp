// The cycle loop of the native simulator. It is compiled behind the C++ that Yosys writes for a
// design, of which there is one, `cxxrtl_design::p_top`; with BITFORMER_VCD it also writes waves.
//
// A cycle is one evaluation at a rising edge: before the commit, outputs show the state before the
// edge, which is what Amaranth's simulator samples at its tick. Draws of chance are those of
// Python's random.Random, in the order of the Python engine, so both give the same cycles.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#ifdef BITFORMER_VCD
#include <cxxrtl/cxxrtl_vcd.h>
#endif

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace bitformer {

// Mersenne Twister, resumed from random.Random.getstate(): 624 words and an index.
struct Chance {
    static constexpr int words = 624, middle = 397;
    uint32_t state[words];
    uint32_t index;

    explicit Chance(const uint32_t *from) {
        std::memcpy(state, from, sizeof(state));
        index = from[words];
    }

    uint32_t word() {
        if (index >= words) {
            for (int k = 0; k < words; k++) {
                uint32_t y = (state[k] & 0x80000000u) | (state[(k + 1) % words] & 0x7fffffffu);
                state[k] = state[(k + middle) % words] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0u);
            }
            index = 0;
        }
        uint32_t y = state[index++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        return y ^ (y >> 18);
    }

    double uniform() {
        uint32_t high = word() >> 5, low = word() >> 6;
        return (high * 67108864.0 + low) / 9007199254740992.0;
    }

    uint32_t bits(unsigned count) { return count ? word() >> (32 - count) : 0; }
};

// What a run saw: of each kind at most one event a cycle, so arrays of `cycles` elements suffice;
// of operands and words, as many for each cycle as there are token rows and post-processors.
struct Window {
    int64_t cycles;  // in: how many to run at most; out: how many were run
    int64_t rows, posts;
    int64_t accepts, operands, slots, takes;
    int64_t *accept_cycle;
    int64_t *operand_cycle;
    int64_t *operand;
    int64_t *slot_cycle;
    uint64_t *slot_word;
    uint8_t *slot_valid;
    uint8_t *slot_vector;
    int64_t *take_cycle;
    int64_t *take;
};

template <size_t Bits>
int64_t as_signed(const cxxrtl::value<Bits> &value) {
    static_assert(Bits <= 64, "a traced value must fit 64 bits");
    return int64_t(value.template get<uint64_t>() << (64 - Bits)) >> (64 - Bits);
}

// The bits of one of several equal parts of a value, from the lowest on: 64 at most.
template <size_t Bits>
uint64_t part_of(const cxxrtl::value<Bits> &value, int64_t number, int64_t parts) {
    const size_t bits = Bits / size_t(parts), start = bits * size_t(number);
    uint64_t part = 0;
    for (size_t done = 0; done < bits;) {
        const size_t at = start + done, chunk = at / 32, place = at % 32;
        const size_t taken = bits - done < 32 - place ? bits - done : 32 - place;
        const uint64_t piece = (uint64_t(value.data[chunk]) >> place) & ((uint64_t(1) << taken) - 1);
        part |= piece << done;
        done += taken;
    }
    return part;
}

struct Simulation {
    cxxrtl_design::p_top top;
    Chance chance;
    const double refuse;
    const int32_t *values;
    const int64_t count, wanted;
    int64_t fed = 0, taken = 0, cycle = 0;
    bool offering = false;
#ifdef BITFORMER_VCD
    cxxrtl::vcd_writer vcd;
    FILE *file = nullptr;
#endif
    int lost = 0;  // why waves could not be written, as errno says it

    Simulation(const uint32_t *state, double refuse, const int32_t *values, int64_t count,
               int64_t wanted)
        : chance(state), refuse(refuse), values(values), count(count), wanted(wanted) {}

    bool accepted() { return !(chance.uniform() < refuse); }

    void offer(uint32_t valid, int64_t payload) {
        constexpr size_t bits = decltype(top.p_i____payload)::bits;
        top.p_i____valid.set<uint32_t>(valid);
        top.p_i____payload.set<uint32_t>(uint32_t(payload) & uint32_t((uint64_t(1) << bits) - 1));
    }

    void drive() {
        if (!offering) {
            if (fed == count) {
                top.p_i____valid.set<uint32_t>(0);
            } else if (accepted()) {
                offering = true;
                offer(1, values[fed]);
            } else {
                offer(0, chance.bits(decltype(top.p_i____payload)::bits - 1));
            }
        }
        if (cycle == 0 || refuse > 0)
            top.p_o____ready.set<uint32_t>(accepted());
    }

    // The clock is high throughout; an edge is one because the previous level is said to be low.
    void edge(bool rising) {
        top.p_clk.set<uint32_t>(1);
        top.prev_p_clk.set<uint32_t>(!rising);
        top.eval();
    }

    void run(Window &window) {
        int64_t last = cycle + window.cycles;
        int64_t begin = cycle;
        window.accepts = window.operands = window.slots = window.takes = 0;
        while (cycle < last && taken < wanted) {
            drive();
            sample();
            edge(true);
            if (offering && top.p_i____ready.get<uint32_t>()) {
                offering = false;
                fed++;
                window.accept_cycle[window.accepts++] = cycle;
            }
            if (top.p_o__trace__input.get<uint32_t>()) {
                window.operand_cycle[window.operands] = cycle;
                const size_t bits = decltype(top.p_o__trace__x)::bits / size_t(window.rows);
                for (int64_t row = 0; row < window.rows; row++) {
                    const uint64_t part = part_of(top.p_o__trace__x, row, window.rows);
                    window.operand[window.operands * window.rows + row] =
                        int64_t(part << (64 - bits)) >> (64 - bits);
                }
                window.operands++;
            }
            if (uint32_t valid = top.p_o__trace__valid.get<uint32_t>()) {
                window.slot_cycle[window.slots] = cycle;
                window.slot_valid[window.slots] = uint8_t(valid);
                window.slot_vector[window.slots] = uint8_t(top.p_o__trace__vector.get<uint32_t>());
                for (int64_t post = 0; post < window.posts; post++)
                    window.slot_word[window.slots * window.posts + post] =
                        part_of(top.p_o__trace__y, post, window.posts);
                window.slots++;
            }
            if (top.p_o____valid.get<uint32_t>() && top.p_o____ready.get<uint32_t>()) {
                window.take_cycle[window.takes] = cycle;
                window.take[window.takes++] = as_signed(top.p_o____payload);
                taken++;
            }
            top.commit();
            cycle++;
        }
        window.cycles = cycle - begin;
    }

#ifdef BITFORMER_VCD
    ~Simulation() { close(); }

    void close() {
        if (file && std::fclose(file) && !lost)
            lost = errno;
        file = nullptr;
    }

    bool waves(const char *path) {
        file = std::fopen(path, "w");
        if (!file)
            return false;
        cxxrtl::debug_items items;
        cxxrtl::debug_scopes scopes;
        top.debug_info(&items, &scopes, "top ");
        vcd.timescale(1, "ns");
        vcd.add_without_memories(items);
        return true;
    }

    // Outputs are computed by an evaluation without an edge; a cycle takes 10 ns, half of it high.
    void sample() {
        edge(false);
        vcd.sample(uint64_t(cycle) * 10);
        top.p_clk.set<uint32_t>(0);
        vcd.sample(uint64_t(cycle) * 10 + 5);
        if (std::fwrite(vcd.buffer.data(), 1, vcd.buffer.size(), file) < vcd.buffer.size() && !lost)
            lost = errno;
        vcd.buffer.clear();
    }
#else
    void sample() {}
    void close() {}
#endif
};

}  // namespace bitformer

EXPORTED bitformer::Simulation *bitformer_new(const uint32_t *state, double refuse,
                                              const int32_t *values, int64_t count,
                                              int64_t wanted, const char *vcd) {
    std::unique_ptr<bitformer::Simulation> made(
        new bitformer::Simulation(state, refuse, values, count, wanted));
#ifdef BITFORMER_VCD
    if (!made->waves(vcd))
        return nullptr;
#else
    (void)vcd;
#endif
    return made.release();
}

EXPORTED int bitformer_run(bitformer::Simulation *simulation, bitformer::Window *window) {
    simulation->run(*window);
    return simulation->lost;
}

EXPORTED int bitformer_delete(bitformer::Simulation *simulation) {
    simulation->close();
    int lost = simulation->lost;
    delete simulation;
    return lost;
}
