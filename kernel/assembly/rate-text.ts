// A stream's sampling rate as decimal text of at most six significant digits, and the weight that this number means; kept until the rate changes.

/** Per stream: f32 rate, f32 weight, u8 length, text. */
const CELLS: usize = memory.data(524320, 16)
const CELL_SHIFT: usize = 5

/** Writes the rate (1e-9 <= rate < 1) into the cell: six significant digits, no exponent, no zeros at the end. */
function render(cell: usize, rate: f32): void {
  const value = <f64>rate
  let places: usize = 6
  let power: f64 = 1e6
  while (value * power < 99999.5 && places < 15) {
    places++
    power *= 10
  }
  let number = <u32>nearest(value * power)
  if (places == 6 && number > 999999) number = 999999
  store<f32>(cell, rate)
  store<f32>(cell, <f32>(power / <f64>number), 4)
  while (number % 10 == 0) {
    number /= 10
    places--
  }
  store<u8>(cell, <u8>(places + 2), 8)
  store<u16>(cell, 0x2e30, 9)
  let at = cell + 11 + places
  for (let n: usize = 0; n < places; n++) {
    at--
    store<u8>(at, 48 + (number % 10))
    number /= 10
  }
}

/** Address of the length byte, which the text follows. */
export function rateTextOf(stream: u32, rate: f32): usize {
  const cell = CELLS + ((<usize>stream) << CELL_SHIFT)
  if (load<f32>(cell) != rate) render(cell, rate)
  return cell + 8
}

/** 1 / the number that was written last for the stream. */
export function rateWeight(stream: u32): f32 {
  return load<f32>(CELLS + ((<usize>stream) << CELL_SHIFT), 4)
}
