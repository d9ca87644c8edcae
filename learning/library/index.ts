export { type LibraryModel, ModelLibrary } from './model-library.ts'
