/**
 * ONNX Runtime, which by itself collects usage telemetry, uploads it over HTTPS and keeps a log in the temporary folder. Nothing that
 * happens on a device is anybody else's business, so it is switched off before the native library is loaded: it reads the variable then.
 */
export async function loadOnnxruntime(): Promise<typeof import('onnxruntime-node')> {
  process.env.ORT_DISABLE_TELEMETRY = '1'
  return import('onnxruntime-node')
}
