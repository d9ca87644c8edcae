/** A weighted mean of equal-length vectors, summed in double precision. */
export class RunningMean {
  readonly #sum: Float64Array
  #weight = 0

  constructor(length: number) {
    this.#sum = new Float64Array(length)
  }

  add(weight: number, values: Float32Array): void {
    for (let i = 0; i < values.length; i++) this.#sum[i] = this.#sum[i]! + weight * values[i]!
    this.#weight += weight
  }

  mean(): Float32Array {
    return Float32Array.from(this.#sum, (value) => value / this.#weight)
  }
}
