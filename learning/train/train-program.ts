import {
  adamW,
  add,
  createProgram,
  gradients,
  input,
  mergeProducts,
  multiply,
  type Node,
  type Program,
  type Recompute,
  recompute,
  type Shape,
  scalar,
  subtract,
} from '#engine'
import { type BatchInputs, type BatchShape, batchInputs, rowLogits } from './batch-inputs.ts'
import {
  flatCrossEntropy,
  flatten,
  logProbabilities,
  projectedKl,
  rowCrossEntropy,
  type TeacherInputs,
  teacherInputs,
  teacherIsBetter,
  weightedMean,
} from './losses.ts'
import { type Trainee, traineeScope } from './trainee.ts'

export interface TrainProgramInit {
  readonly trainee: Trainee
  readonly shape: BatchShape
  /** Adds the distillation loss; none unless told. */
  readonly teacher?: TeacherShape
  readonly weightDecay?: number
  readonly maxGradientNorm?: number
  /** What is made again instead of kept; nothing unless told. */
  readonly recompute?: Recompute
  /** Lets a step be taken over several batches; it costs memory for one more copy of what is trained. */
  readonly accumulate?: boolean
}

export interface TeacherShape {
  readonly topK: number
  /** Entries of the sparse projection that a batch may have, N. */
  readonly entries: number
  readonly temperature: number
  /** Distil only where the teacher is better on the example. */
  readonly gate: boolean
}

/** A whole training step, and which of its variables are trained and which are the optimiser's own. */
export interface TrainProgram {
  readonly program: Program
  readonly trained: readonly string[]
  readonly state: ReadonlyMap<string, Shape>
}

/** Forward pass, losses on the supervised positions, backward pass, clipping by the global norm, AdamW. */
export function trainProgram(init: TrainProgramInit): TrainProgram {
  const { trainee, shape, teacher } = init
  const inputs = batchInputs(shape)
  const { scope, trained } = traineeScope(trainee)
  const logits = rowLogits(trainee.model, inputs, scope)
  const flatLogs = teacher && flatten(logProbabilities(logits, 1))
  const nll = flatLogs
    ? flatCrossEntropy(flatLogs, input('flatTargets', [shape.rows], 'int32'))
    : rowCrossEntropy(logits, inputs.targets)
  const crossEntropy = weightedMean(nll, inputs.rowWeight)
  const outputs: Record<string, Node> = { crossEntropy }
  let loss = crossEntropy
  if (teacher && flatLogs) {
    const { temperature } = teacher
    const tempered = temperature === 1 ? flatLogs : flatten(logProbabilities(logits, temperature))
    const taught = distillation(tempered, nll, inputs, teacher, shape)
    const share = input('kdWeight', [])
    loss = add(multiply(subtract(scalar(1), share), crossEntropy), multiply(share, taught.loss))
    outputs.distillation = taught.loss
    outputs.gateOpen = taught.gateOpen
  }

  const merged = mergeProducts({ ...outputs, loss })
  const parameters = [...trained.values()]
  const accumulate = { share: input('share', []), apply: input('apply', []) }
  const { updates, state, norm } = adamW(parameters, gradients(merged.loss, parameters), {
    learningRate: input('learningRate', []),
    beta2: 0.99,
    weightDecay: init.weightDecay ?? 0,
    clipNorm: init.maxGradientNorm ?? 1,
    ...(init.accumulate ? { accumulate } : {}),
  })
  const results = { ...merged, gradientNorm: norm }
  const roots = [...Object.values<Node>(results), ...Object.values(updates)]
  const again = recompute(merged.loss, roots, init.recompute ?? 'none')
  const rewritten = (nodes: Readonly<Record<string, Node>>) =>
    Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, again.get(node)!]))
  const program = createProgram({ outputs: rewritten(results), updates: rewritten(updates) })
  return { program, trained: [...trained.keys()], state }
}

function distillation(
  flatLogs: Node,
  nll: Node,
  inputs: BatchInputs,
  teacher: TeacherShape,
  shape: BatchShape,
): { readonly loss: Node; readonly gateOpen: Node } {
  const targets: TeacherInputs = teacherInputs(shape.rows, teacher.topK, teacher.entries)
  let open = targets.rowWeight
  if (teacher.gate) {
    const better = teacherIsBetter(
      nll,
      inputs.rowWeight,
      inputs.rowExample,
      input('teacherNatsPerByte', [shape.examples]),
      inputs.exampleBytes,
    )
    open = multiply(open, better)
  }
  const divergence = multiply(projectedKl(flatLogs, targets, teacher.temperature), open)
  return {
    loss: weightedMean(divergence, inputs.rowWeight),
    gateOpen: weightedMean(open, inputs.rowWeight),
  }
}
