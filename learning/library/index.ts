export { type AddedModel, addModel } from './add-model.ts'
export { importModel } from './import-model.ts'
export type { ModelFile } from './manifest.ts'
export {
  type LibraryModel,
  ModelLibrary,
  type ModelLibraryInit,
  type PartialModel,
  type RemovedModel,
} from './model-library.ts'
export { type ModelReference, parseModelReference } from './model-name.ts'
export { neededFiles } from './needed-files.ts'
export { resolveModelFolder } from './resolve-model-folder.ts'
