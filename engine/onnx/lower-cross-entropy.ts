import { bytesOf } from '#base'
import { logitBlocks, type Range } from '../live-memory.ts'
import type { Node, NodeOf } from '../node.ts'
import { isFilePiece } from '../weights.ts'
import { lowerFloatProduct, lowerProduct } from './lower-product.ts'
import { type Lowering, MICROSOFT } from './lowering.ts'
import { blocksOf, lowerQuantisedGather } from './quantised-weights.ts'

type CrossEntropy = (NodeOf<'linearCrossEntropy'> | NodeOf<'linearCrossEntropySlope'>) & Node

/** What a block of rows gives: names of values. */
interface Part {
  /** Negative log-likelihood, [m]. */
  readonly nats: string
  /** [m, H]; only where the program asks for slopes. */
  readonly slope: string | undefined
}

/** What columns of the vocabulary give together. */
interface Seen {
  /** log(sum(exp(logits))), [m, 1]. */
  readonly logs: string
  /** The rows of the head, weighted by their probabilities among these columns, [m, H]. */
  readonly mean: string | undefined
}

/** Joins the blocks' negative log-likelihoods: [M]. */
export function lowerCrossEntropy(
  node: NodeOf<'linearCrossEntropy'> & Node,
  lowering: Lowering,
): string {
  const nats = partsOf(node, lowering).map((part) => part.nats)
  return join(node, nats, lowering)
}

/** Joins the blocks' slopes: [M, H]. */
export function lowerCrossEntropySlope(
  node: NodeOf<'linearCrossEntropySlope'> & Node,
  lowering: Lowering,
): string {
  const slopes = partsOf(node, lowering).map((part) => part.slope!)
  return join(node, slopes, lowering)
}

function join(node: Node, parts: readonly string[], lowering: Lowering): string {
  return parts.length === 1
    ? parts[0]!
    : lowering.emit(node, 'Concat', { inputs: parts, attributes: { axis: 0 } })
}

/** The blocks of these operands, made once for loss and slope together. */
function partsOf(node: CrossEntropy, lowering: Lowering): readonly Part[] {
  const key = keyOf(node)
  return lowering.once(`crossEntropy:${key}`, () => {
    const withSlope = lowering.nodes.some(
      (other) => other.operator === 'linearCrossEntropySlope' && keyOf(other) === key,
    )
    const [x, w] = node.inputs
    const { rows, columns } = logitBlocks(x.shape[0]!, w)
    return rows.map((range) => new PartLowering(node, range, withSlope, lowering).lower(columns))
  })
}

function keyOf({ inputs: [x, w, targets] }: CrossEntropy): string {
  return `${x.id},${w.id},${targets.id}`
}

/** Writes one block of rows. */
class PartLowering {
  readonly #node: CrossEntropy
  readonly #rows: Range
  readonly #withSlope: boolean
  readonly #lowering: Lowering

  constructor(node: CrossEntropy, rows: Range, withSlope: boolean, lowering: Lowering) {
    this.#node = node
    this.#rows = rows
    this.#withSlope = withSlope
    this.#lowering = lowering
  }

  lower([first, ...others]: readonly Range[]): Part {
    const [x, , targets] = this.#node.inputs
    const [start, end] = this.#rows
    const states = this.#rowsOf(x, 'states')
    const ids = this.#rowsOf(targets, 'ids')
    const rows = this.#headRows(ids)
    const { logits, ...block } = this.#look(states, first!)
    // One block after the other, each added to those before when it is made: the order of their nodes decides what is alive.
    let seen: Seen = block
    for (const range of others) seen = this.#together(seen, this.#look(states, range), range)
    const logit = this.#isInBlocks()
      ? this.#chosen(logits, ids)
      : this.#reduce('ReduceSum', 'logit', this.#emit('Mul', 'products', [states, rows]))
    const nats = this.#emit('Sub', 'nats', [seen.logs, logit])
    return {
      nats: this.#emit('Reshape', 'loss', [nats, this.#integers(end - start)]),
      slope: seen.mean && this.#emit('Sub', 'slope', [seen.mean, rows]),
    }
  }

  /** A head in blocks multiplies rounded states: what the targets' logits lack, the others lack too. */
  #chosen(logits: string, ids: string): string {
    const [start, end] = this.#rows
    const column = this.#emit('Reshape', 'column', [ids, this.#integers(end - start, 1)])
    return this.#emit('GatherElements', 'logit', [logits, column], { axis: -1 })
  }

  #isInBlocks(): boolean {
    return blocksOf(this.#node.inputs[1], this.#lowering) !== undefined
  }

  /** Logits of some columns. The most probable of them says what all exponentials add up to. */
  #look(states: string, columns: Range): Seen & { readonly logits: string } {
    const at = (name: string) => `${name}_${columns[0]}`
    const logits = this.#product(states, columns, true, at('logits'))
    const top = this.#reduce('ReduceMax', at('top'), logits)
    const odds = this.#emit('Softmax', at('odds'), [logits], { axis: -1 })
    const share = this.#reduce('ReduceMax', at('share'), odds)
    const logs = this.#emit('Sub', at('logs'), [top, this.#emit('Log', at('log'), [share])])
    if (!this.#withSlope) return { logits, logs, mean: undefined }
    const mean = this.#product(odds, columns, false, at('mean'))
    return { logits, logs: this.#after(logs, mean, at('after')), mean }
  }

  /** Both weighted by what their exponentials add up to: the running softmax of Milakov and Gimelshein (2018). */
  #together(before: Seen, block: Seen, columns: Range): Seen {
    const at = (name: string) => `${name}_${columns[0]}`
    const ahead = this.#emit('Sub', at('ahead'), [block.logs, before.logs])
    const added = this.#emit('Softplus', at('added'), [ahead])
    const logs = this.#emit('Add', at('sum'), [before.logs, added])
    if (before.mean === undefined || block.mean === undefined) return { logs, mean: undefined }
    const behind = this.#emit('Neg', at('behind'), [ahead])
    const kept = this.#emit('Mul', at('kept'), [
      before.mean,
      this.#emit('Sigmoid', at('old'), [behind]),
    ])
    const share = this.#emit('Sigmoid', at('new'), [ahead])
    const mean = this.#lowering.emit(this.#node, 'GatedAdd', {
      inputs: [kept, block.mean, share],
      domain: MICROSOFT,
      suffix: this.#suffix(at('joint')),
    })
    return { logs, mean }
  }

  /**
   * The loss waits for the slope, by adding none of it: otherwise the runtime takes the losses first and keeps the
   * probabilities of every block for the slopes.
   */
  #after(logs: string, mean: string, name: string): string {
    const [first, end] = [this.#integers(0, 0), this.#integers(1, 1)]
    const one = this.#emit('Slice', `${name}_one`, [mean, first, end, this.#integers(0, 1)])
    const none = this.#emit('Mul', `${name}_none`, [one, this.#lowering.zero()])
    return this.#emit('Add', name, [logs, none])
  }

  /** x w^T, or odds w, for these rows of w. */
  #product(left: string, columns: Range, transposeB: boolean, name: string): string {
    const w = this.#node.inputs[1]
    const suffix = this.#suffix(name)
    const product = { node: this.#node, left, transposeA: false, transposeB, scale: 1, suffix }
    const isWhole = columns[0] === 0 && columns[1] === w.shape[0]
    return isWhole
      ? lowerProduct({ ...product, right: w }, this.#lowering)
      : lowerFloatProduct(product, pieceOf(w, columns, this.#lowering), this.#lowering)
  }

  /** w[ids], [m, H]. */
  #headRows(ids: string): string {
    const w = this.#node.inputs[1]
    const suffix = this.#suffix('targets')
    const blocks = blocksOf(w, this.#lowering)
    if (blocks)
      return lowerQuantisedGather(
        { node: this.#node, table: w, ids, suffix },
        blocks,
        this.#lowering,
      )
    return this.#lowering.emit(this.#node, 'Gather', {
      inputs: [this.#lowering.value(w), ids],
      suffix,
    })
  }

  #rowsOf(operand: Node, name: string): string {
    const [start, end] = this.#rows
    const value = this.#lowering.value(operand)
    if (start === 0 && end === operand.shape[0]) return value
    const bounds = [start, end, 0].map((bound) => this.#integers(bound))
    return this.#emit('Slice', name, [value, ...bounds])
  }

  /** Over the last axis, which stays as 1. */
  #reduce(opType: string, name: string, value: string): string {
    return this.#emit(opType, name, [value, this.#integers(-1)])
  }

  #emit(opType: string, name: string, inputs: readonly string[], attributes = {}): string {
    return this.#lowering.emit(this.#node, opType, {
      inputs,
      attributes,
      suffix: this.#suffix(name),
    })
  }

  #suffix(name: string): string {
    return `_${name}_${this.#rows[0]}`
  }

  #integers(...values: readonly number[]): string {
    return this.#lowering.graph.integers(values)
  }
}

/** Rows of a frozen head of floats, a view of its memory or of its file. */
function pieceOf(w: Node, [start, end]: Range, lowering: Lowering): string {
  if (w.operator !== 'weight') throw new RangeError(`%${w.id} has no pieces`)
  const { name, shape } = w.parameters
  return lowering.once(`piece:${name}:${start}`, () => {
    const value = lowering.weights.get(name)
    if (value === undefined || value.dtype === 'blocks') throw new RangeError(`no floats "${name}"`)
    const [offset, sizeBytes] = [start, end - start].map((rows) => 4 * rows * shape[1]!)
    const bytes = value.dtype === 'mapped' ? value.data : bytesOf(value.data)
    const piece = isFilePiece(bytes)
      ? { path: bytes.path, offset: bytes.offset + offset!, sizeBytes: sizeBytes! }
      : bytes.subarray(offset, offset! + sizeBytes!)
    return lowering.graph.addExternal(`weight:${name}:${start}`, 'float32', piece, [
      end - start,
      shape[1]!,
    ])
  })
}
