// The signals of a node's process, heard from its first moment on: SIGTERM and SIGINT end it, SIGHUP asks for a reload.

export interface Signals {
  /** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
  readonly stopAsked: Promise<void>
  /** A SIGHUP that came before is told at once. */
  onReload(run: () => void): void
}

let signals: Signals | undefined

/** Before anything that takes time: a signal without a listener would kill a node that has just begun to start. */
export function listenForSignals(): Signals {
  signals ??= listen()
  return signals
}

function listen(): Signals {
  let reload: (() => void) | undefined
  let missed = false
  process.on('SIGHUP', () => {
    if (reload === undefined) missed = true
    else reload()
  })
  const stopAsked = new Promise<void>((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop)
      process.off('SIGINT', stop)
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
  return {
    stopAsked,
    onReload(run) {
      reload = run
      if (missed) run()
      missed = false
    },
  }
}
