import type { Session } from './executor.ts'
import type { Tensor } from './tensor.ts'

/**
 * Writes those of `values` that `session` holds as variables.
 *
 * @throws ENGINE_WRONG_TENSOR
 */
export async function writeKnown(
  session: Session,
  values: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const { variables } = session.program
  await session.writeVariables(new Map([...values].filter(([name]) => variables.has(name))))
}
