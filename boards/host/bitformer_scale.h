/* From samples in their columns' units to a model's input words, and from its result words to the
 * target's units or to a class, for C99 and C++: one header, no library, no memory of its own. The numbers of a
 * model are in the bitformer_model.h of its build, which includes this file; docs/firmware.md of
 * bitformer is a guide.
 *
 * With doubles, words and results equal those of bitformer's Python bit for bit. #define
 * BITFORMER_REAL float before the first #include for floats: docs/firmware.md says what that costs.
 * Not to be compiled with -ffast-math, which takes no number for one.
 */
#ifndef BITFORMER_SCALE_H
#define BITFORMER_SCALE_H

#include <stdint.h>

#ifndef BITFORMER_REAL
#define BITFORMER_REAL double
#endif
typedef BITFORMER_REAL bitformer_real;

/* What scaling a sample returns. */
enum {
    BITFORMER_FITS = 0,
    BITFORMER_CLIPPED = 1,    /* beyond the range of the words: the word is the nearest end */
    BITFORMER_NO_NUMBER = -1  /* not a number, or infinite: there is no word */
};

typedef struct {
    const char *name; /* in UTF-8 */
    bitformer_real mean, deviation;
} bitformer_column;

/* Words of an unsigned model are uint16_t, kept by their bits in int16_t. */
typedef struct {
    uint16_t window, channels, horizon;
    int32_t input_low, input_high, input_zero, result_zero;
    bitformer_real input_scale;  /* words in a deviation */
    bitformer_real result_scale; /* deviations in a word */
    uint8_t is_unsigned;
    const bitformer_column *columns; /* of the channels, in their order */
    bitformer_column target;
    uint8_t hour, weekday; /* whether they stand behind a window's samples */
    uint16_t classes;      /* of a classifier; 0 of a forecast */
    const char *const *class_names;
    uint16_t judged; /* numbers that a detector judges; 0 of other models */
    /* Of several targets, how many, and each of them: `horizon` results of one come after those of
     * another, and `target` is the first. Of one target, 0 and a null pointer. */
    uint16_t targets;
    const bitformer_column *target_columns;
} bitformer_scaling;

/* A window of no class: none of its scores leads by enough. */
enum { BITFORMER_REJECTED = -1 };

static inline int bitformer_is_number(bitformer_real sample) {
    volatile bitformer_real zero = sample - sample;
    return zero >= 0 && zero <= 0;
}

/* The word of a sample of a channel, rounded half up. */
static inline int bitformer_word(const bitformer_scaling *model, unsigned channel,
                                 bitformer_real sample, int16_t *word) {
    const bitformer_column *column = &model->columns[channel];
    if (!bitformer_is_number(sample))
        return BITFORMER_NO_NUMBER;
    /* volatile: each step is rounded for itself, neither fused with the next nor kept wider */
    volatile bitformer_real distance = sample - column->mean;
    volatile bitformer_real deviations = distance / column->deviation;
    volatile bitformer_real steps = deviations * model->input_scale;
    volatile bitformer_real sum = steps + (bitformer_real)0.5;
    bitformer_real place = sum;
    int32_t low = model->input_low - model->input_zero;
    int32_t high = model->input_high - model->input_zero;
    int32_t number = high;
    int result = BITFORMER_FITS;
    /* clipped before it is converted: what no integer holds is undefined */
    if (place < (bitformer_real)low) {
        number = low;
        result = BITFORMER_CLIPPED;
    } else if (place < (bitformer_real)high) {
        number = (int32_t)place;
        if ((bitformer_real)number > place)
            number--;
    } else if (place >= (bitformer_real)(high + 1)) {
        result = BITFORMER_CLIPPED;
    }
    number += model->input_zero;
    *word = (int16_t)(number > INT16_MAX ? number - 65536 : number);
    return result;
}

/* The words of a row of samples, one of each channel, behind those of the rows before: the oldest
 * row of `words`, a window, is dropped. Returns how many samples were clipped; BITFORMER_NO_NUMBER
 * if one is no number, and then the window stays as it was. */
static inline int32_t bitformer_push(const bitformer_scaling *model, const bitformer_real *samples,
                                     int16_t *words) {
    uint32_t kept = (uint32_t)(model->window - 1u) * model->channels;
    int32_t clipped = 0;
    for (unsigned k = 0; k < model->channels; k++)
        if (!bitformer_is_number(samples[k]))
            return BITFORMER_NO_NUMBER;
    for (uint32_t k = 0; k < kept; k++)
        words[k] = words[k + model->channels];
    for (unsigned k = 0; k < model->channels; k++)
        clipped += bitformer_word(model, k, samples[k], &words[kept + k]);
    return clipped;
}

/* The words of a whole window of samples: rows from the oldest to the newest, in each the channels
 * in their order. Returns how many samples were clipped; BITFORMER_NO_NUMBER if one is no number,
 * and then the words mean nothing. */
static inline int32_t bitformer_words(const bitformer_scaling *model, const bitformer_real *samples,
                                      int16_t *words) {
    int32_t clipped = 0;
    for (uint16_t row = 0; row < model->window; row++)
        for (unsigned k = 0; k < model->channels; k++) {
            int result = bitformer_word(model, k, *samples++, words++);
            if (result == BITFORMER_NO_NUMBER)
                return result;
            clipped += result;
        }
    return clipped;
}

/* Of a model with a calendar, the words of the time behind those of a window's samples: the hour,
 * 0 to 23, and the day of the week, 0 for Monday, that the clock shows at the window's last row.
 * `words` has all the words of a window, BITFORMER_MODEL_WORDS. A number that the model does not
 * take is ignored. Returns BITFORMER_FITS; BITFORMER_NO_NUMBER for an hour or a day that is none,
 * and then the words stay as they were. Without a call the words mean nothing. */
static inline int bitformer_time(const bitformer_scaling *model, unsigned hour, unsigned weekday,
                                 int16_t *words) {
    uint32_t at = (uint32_t)model->window * model->channels, count = 0;
    unsigned numbers[2];
    if ((model->hour && hour > 23u) || (model->weekday && weekday > 6u))
        return BITFORMER_NO_NUMBER;
    if (model->hour)
        numbers[count++] = hour;
    if (model->weekday)
        numbers[count++] = weekday;
    for (uint32_t k = 0; k < count || k % model->channels != 0; k++) {
        int32_t number = model->input_zero + (int32_t)(k < count ? numbers[k] : 0u);
        words[at + k] = (int16_t)(number > INT16_MAX ? number - 65536 : number);
    }
    return BITFORMER_FITS;
}

/* Of a detector, the words of what is judged behind those of a window and its time: `judged` has
 * BITFORMER_MODEL_JUDGED words, made by bitformer_word of what came, each with the channel that it
 * is of. `words` has all the words of a window, BITFORMER_MODEL_WORDS. */
static inline void bitformer_judge(const bitformer_scaling *model, const int16_t *judged,
                                   int16_t *words) {
    uint32_t at = (uint32_t)model->window * model->channels;
    uint32_t time = (uint32_t)model->hour + model->weekday;
    at += (time + model->channels - 1u) / model->channels * model->channels;
    for (uint32_t k = 0; k < model->judged || k % model->channels != 0; k++)
        words[at + k] = (int16_t)(k < model->judged ? judged[k] : model->input_zero);
}

/* A result word of a target, by its number from 0 on, in its units. */
static inline bitformer_real bitformer_units_of(const bitformer_scaling *model, unsigned target,
                                                int16_t word) {
    const bitformer_column *column =
        target < model->targets ? &model->target_columns[target] : &model->target;
    int32_t number = word;
    if (model->is_unsigned && number < 0)
        number += 65536;
    bitformer_real steps = (bitformer_real)(number - model->result_zero);
    volatile bitformer_real deviations = steps * model->result_scale;
    volatile bitformer_real distance = deviations * column->deviation;
    volatile bitformer_real units = distance + column->mean;
    return units;
}

/* A result word in the target's units; of several targets, in those of the first. */
static inline bitformer_real bitformer_units(const bitformer_scaling *model, int16_t word) {
    return bitformer_units_of(model, 0, word);
}

/* A forecast in its targets' units: the result words of a window, BITFORMER_MODEL_RESULTS. Of
 * several targets, that of number t begins at t * BITFORMER_MODEL_HORIZON. */
static inline void bitformer_forecast(const bitformer_scaling *model, const int16_t *results,
                                      bitformer_real *units) {
    unsigned count = model->targets ? model->targets : 1u;
    for (unsigned target = 0; target < count; target++)
        for (uint16_t k = 0; k < model->horizon; k++)
            *units++ = bitformer_units_of(model, target, *results++);
}

/* The class of a classifier's result: its number, from 0 on, or BITFORMER_REJECTED. */
static inline int32_t bitformer_class(const bitformer_scaling *model, const int16_t *results) {
    int32_t number = results[0];
    return number >= 0 && number < (int32_t)model->classes ? number : BITFORMER_REJECTED;
}

/* The name of a class by its number, in UTF-8; a null pointer for BITFORMER_REJECTED. */
static inline const char *bitformer_class_name(const bitformer_scaling *model, int32_t number) {
    return number >= 0 && number < (int32_t)model->classes ? model->class_names[number] : 0;
}

#endif
