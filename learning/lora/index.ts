export {
  type AdapterWeights,
  checkAdapter,
  createAdapter,
  type LoraSpec,
  loraA,
  loraB,
  targetsOf,
} from './adapter.ts'
export {
  adapterParts,
  decodeAdapter,
  encodeAdapter,
  loadAdapter,
  saveAdapter,
} from './adapter-files.ts'
export { mergeAdapter } from './merge-adapter.ts'
export {
  type AdapterLayer,
  fromLeaves,
  toLeaves,
  withAdapters,
} from './with-adapters.ts'
