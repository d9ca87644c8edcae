// libp2p 3 calls Promise.withResolvers (ES2024), which Node 20 lacks. Whoever imports #base has it.
if (typeof Promise.withResolvers !== 'function') {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: function withResolvers<T>(this: PromiseConstructor): PromiseWithResolvers<T> {
      let resolve!: (value: T | PromiseLike<T>) => void
      let reject!: (reason?: unknown) => void
      const promise = new this<T>((ok, fail) => {
        resolve = ok
        reject = fail
      })
      return { promise, resolve, reject }
    },
  })
}
