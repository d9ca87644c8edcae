import type { Range } from '#base'
import { logitBlocks } from '../live-memory.ts'
import type { Node, NodeOf } from '../node.ts'
import { lowerProduct, lowerProductByRows } from './lower-product.ts'
import { type Lowering, MICROSOFT } from './lowering.ts'
import { lowerGather } from './quantised-weights.ts'

type CrossEntropy = NodeOf<'linearCrossEntropy'> | NodeOf<'linearCrossEntropySlope'>

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
  /** The target's, where it is among these columns, [m, 1]. */
  readonly logit: string
}

/** Joins the blocks' negative log-likelihoods: [M]. */
export function lowerCrossEntropy(node: NodeOf<'linearCrossEntropy'>, lowering: Lowering): string {
  const nats = partsOf(node, lowering).map((part) => part.nats)
  return join(node, nats, lowering)
}

/** Joins the blocks' slopes: [M, H]. */
export function lowerCrossEntropySlope(
  node: NodeOf<'linearCrossEntropySlope'>,
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

  lower(columns: readonly Range[]): Part {
    const [x, , targets] = this.#node.inputs
    const [start, end] = this.#rows
    const states = this.#rowsOf(x, this.#lowering.value(x), 'states')
    const ids = this.#rowsOf(targets, this.#lowering.int64(targets), 'ids')
    const column = this.#emit('Reshape', 'column', [ids, this.#integers(end - start, 1)])
    let seen: Seen | undefined
    for (const range of columns)
      seen = this.#add(seen, this.#look(states, column, range), column, range)
    const { logs, logit, mean } = seen!
    const nats = this.#emit('Sub', 'nats', [logs, logit])
    return {
      nats: this.#emit('Reshape', 'loss', [nats, this.#integers(end - start)]),
      slope: mean && this.#emit('Sub', 'slope', [mean, this.#headRows(ids)]),
    }
  }

  /** Logits of some columns. The most probable of them says what all exponentials add up to. */
  #look(states: string, column: string, columns: Range): Seen {
    const at = (name: string) => `${name}_${columns[0]}`
    const logits = this.#product(states, columns, true, at('logits'))
    const logit = this.#chosen(logits, column, columns)
    // Probabilities are written over the logits if nobody reads these any more.
    const largest = this.#reduce('ReduceMax', at('largest'), logits)
    const top = this.#after(largest, logit, at('top'))
    const odds = this.#emit('Softmax', at('odds'), [logits], { axis: -1 })
    const share = this.#reduce('ReduceMax', at('share'), odds)
    const logs = this.#emit('Sub', at('logs'), [top, this.#emit('Log', at('log'), [share])])
    const mean = this.#withSlope ? this.#product(odds, columns, false, at('mean')) : undefined
    return { logs, mean, logit }
  }

  /** Of the logits themselves, since a head in blocks multiplies rounded states: what a target's lacks, the others lack too. */
  #chosen(logits: string, column: string, [start, end]: Range): string {
    const at = (name: string) => `${name}_${start}`
    const own = this.#emit('Sub', at('own'), [column, this.#integers(start)])
    const bounds = [0, end - start - 1].map((bound) => this.#integers(bound))
    const inside = this.#emit('Clip', at('inside'), [own, ...bounds])
    return this.#emit('GatherElements', at('logit'), [logits, inside], { axis: -1 })
  }

  /**
   * The order of these nodes decides what is alive: without it the runtime takes all losses, then all targets, then all
   * slopes, and keeps what they are made of.
   */
  #add(before: Seen | undefined, block: Seen, column: string, [start]: Range): Seen {
    const at = (name: string) => `${name}_${start}`
    const { logs, mean } = before ? this.#together(before, block, at) : block
    const settled = mean === undefined ? logs : this.#after(logs, mean, at('settled'))
    if (before === undefined) return { logs: settled, mean, logit: block.logit }
    const isBefore = this.#emit('Less', at('isBefore'), [column, this.#integers(start)])
    const logit = this.#emit('Where', at('target'), [isBefore, before.logit, block.logit])
    return { logs: settled, mean, logit }
  }

  /** Both weighted by what their exponentials add up to: the running softmax of Milakov and Gimelshein (2018). */
  #together(before: Seen, block: Seen, at: (name: string) => string): Omit<Seen, 'logit'> {
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

  /** `value`, made after `other`: with none of it added. */
  #after(value: string, other: string, name: string): string {
    const [first, end] = [this.#integers(0, 0), this.#integers(1, 1)]
    const one = this.#emit('Slice', `${name}_one`, [other, first, end, this.#integers(0, 1)])
    const none = this.#emit('Mul', `${name}_none`, [one, this.#lowering.zero()])
    return this.#emit('Add', name, [value, none])
  }

  /** x w^T, or odds w, for these rows of w. */
  #product(left: string, columns: Range, transposeB: boolean, name: string): string {
    const w = this.#node.inputs[1]
    const suffix = this.#suffix(name)
    const product = { node: this.#node, left, transposeA: false, transposeB, scale: 1, suffix }
    const isWhole = columns[0] === 0 && columns[1] === w.shape[0]
    return w.operator === 'weight' && !isWhole
      ? lowerProductByRows(product, w, columns, this.#lowering)
      : lowerProduct(product, w, this.#lowering)
  }

  /** w[ids], [m, H]. */
  #headRows(ids: string): string {
    const node = this.#node
    const suffix = this.#suffix('targets')
    return lowerGather({ node, table: node.inputs[1], ids, suffix }, this.#lowering)
  }

  #rowsOf(operand: Node, value: string, name: string): string {
    const [start, end] = this.#rows
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
