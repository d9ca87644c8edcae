import { parse, relative } from 'node:path'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { bytesOf, utf8 } from '#base'
import { dynamicSizeOf } from '../dynamic-sizes.ts'
import type { DType, Shape } from '../tensor.ts'
import { type Bytes, isFilePiece } from '../weights.ts'
import {
  type AttributeProto,
  AttributeProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './onnx_pb.ts'

/** IR version 10 with operator set 21: ONNX 1.16. */
const IR_VERSION = 10n
const OPERATOR_SET = 21n

const AttributeType = { FLOAT: 1, INT: 2, STRING: 3, INTS: 7 } as const
/** TensorProto.DataLocation. */
const EXTERNAL = 1
const DataType = { FLOAT: 1, UINT8: 2, INT32: 6, INT64: 7, BOOL: 9, UINT4: 21 } as const

/** Integers become INT, other numbers must be given as `{ float }`, arrays become INTS. */
type AttributeValue = number | string | readonly number[] | { readonly float: number }
export type Attributes = Readonly<Record<string, AttributeValue>>

export const ONNX_TYPE: Readonly<Record<DType | 'int64' | 'bool' | 'uint8' | 'uint4', number>> = {
  float32: DataType.FLOAT,
  int32: DataType.INT32,
  int64: DataType.INT64,
  bool: DataType.BOOL,
  uint8: DataType.UINT8,
  uint4: DataType.UINT4,
}

export interface OnnxModel {
  /** The encoded ModelProto. */
  readonly bytes: Uint8Array
  /** Values that it refers to by location: one protobuf is limited to 2 GB. */
  readonly external: ReadonlyMap<string, Uint8Array>
  /** The folder that locations of files are relative to; undefined where no value lies in a file. */
  readonly root: string | undefined
}

type Initializer = MessageInitShape<typeof TensorProtoSchema>
interface Named {
  readonly name: string
  readonly dims: bigint[]
  readonly dataType: number
}

/** Collects the parts of an ONNX model and encodes it. Values are referred to by name. */
export class OnnxGraph {
  readonly #nodes: MessageInitShape<typeof NodeProtoSchema>[] = []
  readonly #initializers: Initializer[] = []
  readonly #inputs: MessageInitShape<typeof ValueInfoProtoSchema>[] = []
  readonly #outputs: MessageInitShape<typeof ValueInfoProtoSchema>[] = []
  readonly #beside: { readonly initializer: Named; readonly bytes: Uint8Array }[] = []
  /** Values that nodes make: leaves cannot be outputs themselves. */
  readonly #made = new Set<string>()
  readonly #outputNames = new Set<string>()
  readonly #integers = new Map<string, string>()
  #root: string | undefined

  addInput(name: string, dtype: DType, shape: Shape): string {
    this.#inputs.push(valueInfo(name, dtype, shape))
    return name
  }

  /** Makes a value an output and returns its name as one: its own, or `name` where it has to be copied. */
  addOutput(name: string, value: string, dtype: DType, shape: Shape): string {
    const own = this.#made.has(value) && !this.#outputNames.has(value)
    const output = own ? value : name
    // First of all: the value they copy is then taken when it is made.
    if (!own) this.#nodes.unshift({ opType: 'Identity', name, input: [value], output: [name] })
    this.#outputNames.add(output)
    this.#outputs.push(valueInfo(output, dtype, shape))
    return output
  }

  /** Values that stay outside the encoded model: handed over beside it without a copy, or mapped from their file. */
  addExternal(name: string, type: keyof typeof ONNX_TYPE, bytes: Bytes, shape: Shape): string {
    const initializer: Named = { name, dims: shape.map(BigInt), dataType: ONNX_TYPE[type] }
    if (isFilePiece(bytes)) {
      const place = [this.#locate(bytes.path), bytes.offset, bytes.sizeBytes] as const
      this.#initializers.push({ ...initializer, ...externalData(...place) })
    } else {
      this.#beside.push({ initializer, bytes })
    }
    return name
  }

  addInitializer(name: string, data: Float32Array | Int32Array, shape: Shape): string {
    const dataType = data instanceof Int32Array ? DataType.INT32 : DataType.FLOAT
    this.#initializers.push({ name, dims: shape.map(BigInt), dataType, rawData: bytesOf(data) })
    return name
  }

  /** A one-dimensional int64 initializer: shapes, axes, bounds. Equal ones are shared. */
  integers(values: readonly number[]): string {
    const name = `integers:${values}`
    if (!this.#integers.has(name)) {
      const rawData = bytesOf(BigInt64Array.from(values.map(BigInt)))
      this.#integers.set(name, name)
      this.#initializers.push({
        name,
        dims: [BigInt(values.length)],
        dataType: DataType.INT64,
        rawData,
      })
    }
    return name
  }

  /** Adds a node whose outputs have these names. */
  addNode(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    attributes: Attributes = {},
    domain = '',
  ): void {
    for (const value of output) this.#made.add(value)
    this.#nodes.push({
      opType,
      domain,
      name: output[0] ?? opType,
      input: [...input],
      output: [...output],
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    })
  }

  /** Files are named relative to a folder that holds them all, and ONNX Runtime refuses what leaves it. */
  #locate(path: string): string {
    this.#root ??= parse(path).root
    return relative(this.#root, path)
  }

  encode(): OnnxModel {
    const external = new Map<string, Uint8Array>()
    for (const { initializer, bytes } of this.#beside) {
      // ONNX Runtime takes values from files or beside the model, not from both: then these go inside.
      if (this.#root !== undefined)
        this.#initializers.push({ ...initializer, rawData: new Uint8Array(bytes) })
      else {
        external.set(initializer.name, bytes)
        const place = [initializer.name, 0, bytes.length] as const
        this.#initializers.push({ ...initializer, ...externalData(...place) })
      }
    }
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: 'cotune',
      opsetImport: [
        { domain: '', version: OPERATOR_SET },
        { domain: 'com.microsoft', version: 1n },
      ],
      graph: {
        name: 'program',
        // ONNX Runtime computes operands that are listed last first.
        node: this.#nodes.toReversed(),
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      },
    })
    return {
      bytes: toBinary(ModelProtoSchema, model),
      external,
      root: this.#root,
    }
  }
}

function externalData(location: string, offset: number, length: number): Initializer {
  return {
    dataLocation: EXTERNAL,
    externalData: [
      { key: 'location', value: location },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ],
  }
}

function valueInfo(
  name: string,
  dtype: DType,
  shape: Shape,
): MessageInitShape<typeof ValueInfoProtoSchema> {
  // A dimension that is known only when the program runs stays unsaid.
  const dim = shape.map((dimension) =>
    dynamicSizeOf(dimension) === undefined ? { dimValue: BigInt(dimension) } : {},
  )
  return { name, type: { tensorType: { elemType: ONNX_TYPE[dtype], shape: { dim } } } }
}

function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) })
  }
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.STRING,
      s: new Uint8Array(utf8(value)),
    })
  }
  if ('float' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float })
  }
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) })
}
