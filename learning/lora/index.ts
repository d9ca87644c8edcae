export {
  type AdapterWeights,
  adapterShapes,
  checkAdapter,
  createAdapter,
  type LoraSpec,
  loraA,
  loraB,
  targetsOf,
} from './adapter.ts'
export { decodeAdapter, encodeAdapter, loadAdapter, saveAdapter } from './adapter-files.ts'
export {
  type AdapterScope,
  type AdapterSlot,
  adapterScope,
  fromSlot,
  slotVariable,
  toSlot,
} from './adapter-scope.ts'
export { mergeAdapter } from './merge-adapter.ts'
