import { CotuneError } from '#base'

export type DType = 'float32' | 'int32'

/**
 * Dimensions, outermost first; `[]` is a scalar. Every dimension is known when the graph is built, or a multiple of one of
 * `DYNAMIC_SIZES`.
 */
export type Shape = readonly number[]

/** Values in row-major order. */
export interface Tensor {
  readonly dtype: DType
  readonly shape: Shape
  readonly data: Float32Array | Int32Array
}

/** The number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis])
}

/**
 * A tensor over `data`, without a copy. The dtype follows from the array.
 *
 * @throws ENGINE_SHAPE_MISMATCH when `data` has not as many elements as `shape` says.
 */
export function tensor(data: Float32Array | Int32Array, shape: Shape): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new CotuneError(
      'ENGINE_SHAPE_MISMATCH',
      `a tensor of shape [${shape}] needs ${sizeOf(shape)} elements, not ${data.length}`,
      { hint: 'Give as many values as the product of the dimensions.' },
    )
  }
  return { dtype: data instanceof Int32Array ? 'int32' : 'float32', shape, data }
}

/** A tensor of zeros. */
export function zeroTensor(shape: Shape, dtype: DType = 'float32'): Tensor {
  const size = sizeOf(shape)
  return { dtype, shape, data: dtype === 'int32' ? new Int32Array(size) : new Float32Array(size) }
}
