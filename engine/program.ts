import type { Node, NodeOf } from './node.ts'

export interface ProgramInit {
  readonly outputs: Readonly<Record<string, Node>>
  /** What each variable becomes after a run, by the variable's name. */
  readonly updates?: Readonly<Record<string, Node>>
}

/** A verified graph without anything that no output and no update needs. */
export interface Program {
  readonly outputs: ReadonlyMap<string, Node>
  readonly updates: ReadonlyMap<string, Node>
  /** Topological order. */
  readonly nodes: readonly Node[]
  readonly inputs: ReadonlyMap<string, NodeOf<'input'>>
  readonly weights: ReadonlyMap<string, NodeOf<'weight'>>
  readonly variables: ReadonlyMap<string, NodeOf<'variable'>>
}
