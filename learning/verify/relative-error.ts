/**
 * How far `row` is from the recorded one: the largest difference of two entries over the largest magnitude of the
 * recorded row. An error of 1e-4 is then the same to a softmax whatever the scale of single entries; dividing each entry
 * by its own would blow up where a logit happens to be near 0. Infinite where a value is not a number.
 */
export function relativeError(row: ArrayLike<number>, recorded: ArrayLike<number>): number {
  let difference = 0
  let scale = 0
  for (let i = 0; i < recorded.length; i++) {
    const distance = Math.abs(row[i]! - recorded[i]!)
    if (Number.isNaN(distance)) return Infinity
    difference = Math.max(difference, distance)
    scale = Math.max(scale, Math.abs(recorded[i]!))
  }
  return difference === 0 ? 0 : difference / scale
}
