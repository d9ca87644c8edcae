import type { Executor, ExecutorName, ExecutorOptions } from './executor.ts'
import { createOnnxruntimeExecutor } from './onnx/onnxruntime-executor.ts'
import { createTensorflowExecutor } from './tensorflow/tensorflow-executor.ts'

/** The executor of that name. Its library is loaded when the first program is compiled. */
export function createExecutor(name: ExecutorName, options: ExecutorOptions = {}): Executor {
  return name === 'onnxruntime' ? createOnnxruntimeExecutor(options) : createTensorflowExecutor()
}
