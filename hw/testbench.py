"""A Verilog testbench that checks an accelerator by itself: windows in, results compared."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Ports", "testbench"]

#: Resets within an inference.
_MOMENTS = 9


@dataclass(frozen=True, kw_only=True)
class Ports:
    """How a testbench is connected to a top module.

    ``clock``, ``reset`` : their ports. ``reset_level`` : the reset's level that resets.
    ``sample``, ``result`` : names of the payload, valid and ready of the streams in and out.
    ``sample_bits``, ``result_bits`` : widths of their payloads. ``last`` : the port that is set
    with a window's last sample, or none. ``zero`` : inputs that stay 0, with their widths.
    """

    clock: str
    reset: str
    reset_level: int
    sample: tuple[str, str, str]
    result: tuple[str, str, str]
    sample_bits: int
    result_bits: int
    last: str = ""
    zero: tuple[tuple[str, int], ...] = ()


def testbench(
    top: str,
    ports: Ports,
    vectors: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    result_bits: int,
    latency: int,
) -> str:
    """Return Verilog of a module that needs no file but that of ``top``.

    It takes all windows from power-up without a reset, again after a reset, and then a window after
    resets at many moments of an inference, each time with pauses on both sides. Its last line
    begins with PASS or FAIL. Of a result, ``result_bits`` bits count.

    Parameters
    ----------
    top : str
        Name of the module.
    ports : Ports
        Its ports.
    vectors : sequence of (window, result)
        Numbers of each window and of what must come of it, as they are sent.
    result_bits : int
        Bits of a result, not more than its port has.
    latency : int
        Cycles of an inference, which says when resets come.
    """
    inputs, results = len(vectors[0][0]), len(vectors[0][1])
    samples = [number for window, _ in vectors for number in window]
    expected = [number for _, result in vectors for number in result]
    names = [
        (ports.clock, "clock"),
        (ports.reset, "reset" if ports.reset_level else "~reset"),
        (ports.sample[0], "sample"),
        (ports.sample[1], "sample_valid"),
        (ports.sample[2], "sample_ready"),
        (ports.result[0], "result"),
        (ports.result[1], "result_valid"),
        (ports.result[2], "result_ready"),
        *([(ports.last, f"(place == {inputs - 1})")] if ports.last else []),
        *((name, f"{bits}'d0") for name, bits in ports.zero),
    ]
    return _TEXT.format(
        top=top,
        windows=len(vectors),
        inputs=inputs,
        results=results,
        latency=latency,
        moments=_MOMENTS,
        sample_high=ports.sample_bits - 1,
        result_high=ports.result_bits - 1,
        checked=result_bits - 1,
        connections=",\n    ".join(f".{name}({value})" for name, value in names),
        samples=_assigned("samples", samples, ports.sample_bits),
        expected=_assigned("expected", expected, result_bits),
    )


def _assigned(name: str, numbers: Sequence[int], bits: int) -> str:
    """Return assignments of numbers to the places of an array."""
    mask = (1 << bits) - 1
    return "\n".join(
        f"    {name}[{place}] = {bits}'h{number & mask:x};" for place, number in enumerate(numbers)
    )


_TEXT = """\
// Runs {top} in a simulator of Verilog-2001, for example
//   iverilog -o simulation {top}.v {top}_tb.v && vvp simulation
// The last line that it prints begins with PASS or FAIL.
`timescale 1ns / 1ps
module {top}_tb;
  localparam WINDOWS = {windows}, INPUTS = {inputs}, RESULTS = {results}, LATENCY = {latency};
  reg clock = 0, reset = 0, running = 0;
  reg [{sample_high}:0] samples [0:WINDOWS * INPUTS - 1];
  reg [{checked}:0] expected [0:WINDOWS * RESULTS - 1];
  reg sample_valid = 0, result_ready = 0;
  reg [15:0] chance = 1;
  integer sent = 0, place = 0, taken = 0, idle = 0, errors = 0, moment = 0;
  integer goal = WINDOWS * RESULTS;
  wire sample_ready, result_valid;
  wire [{sample_high}:0] sample = sent < WINDOWS * INPUTS ? samples[sent] : 0;
  wire [{result_high}:0] result;

  {top} dut (
    {connections}
  );

  always #5 clock = ~clock;

  // both sides pause now and then; all of it changes at the falling edge
  always @(negedge clock) begin
    chance <= {{chance[14:0], chance[15] ^ chance[14] ^ chance[12] ^ chance[3]}};
    if (!sample_valid || sample_ready)
      sample_valid <= running && sent < WINDOWS * INPUTS && chance[2:0] != 0;
    result_ready <= running && chance[6:5] != 0;
  end

  task failed;
    begin
      errors = errors + 1;
      if (errors < 10)
        $display("result %0d is %h, must be %h", taken, result[{checked}:0], expected[taken]);
    end
  endtask

  always @(posedge clock) if (running) begin
    idle = idle + 1;
    if (sample_ready !== 0 && sample_ready !== 1 || result_valid !== 0 && result_valid !== 1) begin
      errors = errors + 1;
      if (errors < 10) $display("a handshake is neither 0 nor 1 at %0t", $time);
    end
    if (sample_valid && sample_ready === 1) begin
      sent = sent + 1;
      place = place == INPUTS - 1 ? 0 : place + 1;
      idle = 0;
    end
    if (result_valid === 1 && result_ready) begin
      if (taken >= WINDOWS * RESULTS || result[{checked}:0] !== expected[taken]) failed;
      taken = taken + 1;
      idle = 0;
    end
  end

  task anew;
    begin
      @(negedge clock);
      running = 0;
      sample_valid = 0;
      result_ready = 0;
      sent = 0;
      place = 0;
      taken = 0;
      idle = 0;
    end
  endtask

  task restart;
    begin
      anew;
      reset = 1;
      @(negedge clock);
      reset = 0;
    end
  endtask

  task all_windows;
    begin
      running = 1;
      while (taken < goal && idle < 20 * LATENCY + 1000 && errors == 0)
        @(negedge clock);
      if (taken < goal && errors == 0) begin
        errors = errors + 1;
        $display("after %0d results nothing comes", taken);
      end
    end
  endtask

  initial begin
{samples}
{expected}
    $display("from power-up");
    all_windows;
    if (errors == 0) begin
      $display("after a reset");
      restart;
      all_windows;
    end
    if (errors == 0) $display("after resets at {moments} moments of an inference");
    for (moment = 0; moment < {moments} && errors == 0; moment = moment + 1) begin
      // what has just been begun goes on, if a reset does not end it
      restart;
      running = 1;
      while (sent < INPUTS) @(negedge clock);
      repeat ((2 * moment + 1) * LATENCY / (2 * {moments})) @(negedge clock);
      restart;
      goal = RESULTS;
      all_windows;
    end
    if (errors == 0) $display("PASS: %0d results, and again", WINDOWS * RESULTS);
    else $display("FAIL: %0d errors", errors);
    $finish;
  end
endmodule
"""
