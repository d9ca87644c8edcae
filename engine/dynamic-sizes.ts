import { CotuneError } from '#base'
import { describeNode, type Node } from './node.ts'
import type { Shape } from './tensor.ts'

/**
 * Sizes that become known when a program runs, to be used as dimensions of its inputs; each run may bring others. In
 * shapes they are large primes, so the sizes of products and quotients stay exact, and no true dimension is taken for
 * one.
 */
export const DYNAMIC_SIZES = [1_000_003, 1_000_033, 1_000_037] as const

/** By dynamic size: what it is in one run. */
export type BoundSizes = ReadonlyMap<number, number>

/** The dynamic size that a dimension is a multiple of. */
export function dynamicSizeOf(dimension: number): number | undefined {
  return dimension === 0 ? undefined : DYNAMIC_SIZES.find((size) => dimension % size === 0)
}

/** `shape` with sizes put in for the dynamic ones. */
export function boundShape(shape: Shape, sizes: BoundSizes): Shape {
  return shape.map((dimension) => {
    const size = dynamicSizeOf(dimension)
    return size === undefined ? dimension : (dimension / size) * (sizes.get(size) ?? 0)
  })
}

/** Whether `found` is of the shape `wanted`; dynamic sizes are noted in `sizes` when they are first met. */
export function bindShape(wanted: Shape, found: Shape, sizes: Map<number, number>): boolean {
  if (wanted.length !== found.length) return false
  return wanted.every((dimension, axis) => {
    const size = dynamicSizeOf(dimension)
    if (size === undefined) return dimension === found[axis]
    const value = ((found[axis] ?? 0) * size) / dimension
    if (!sizes.has(size)) sizes.set(size, value)
    return Number.isInteger(value) && sizes.get(size) === value
  })
}

/**
 * `shape`, of which all must be known when a program is compiled.
 *
 * @throws ENGINE_DYNAMIC_SIZE
 */
export function requireFixed(node: Node, shape: Shape): Shape {
  if (shape.every((dimension) => dynamicSizeOf(dimension) === undefined)) return shape
  throw new CotuneError(
    'ENGINE_DYNAMIC_SIZE',
    `${describeNode(node)} needs a size that is known only when the program runs`,
    { hint: 'Build the program for a fixed size, or without this operator.' },
  )
}
