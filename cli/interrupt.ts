// Turns Ctrl-C and SIGTERM into an abort signal, so that a command ends cleanly.

export interface Interrupt {
  readonly signal: AbortSignal
  /** Takes the handlers away again. */
  end(): void
}

/** The second Ctrl-C has its usual effect. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController()
  function stop(): void {
    controller.abort()
    end()
  }
  function end(): void {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return { signal: controller.signal, end }
}
