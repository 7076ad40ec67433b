// The node's own log: JSON lines on stderr through pino, secrets redacted.
import { destination, pino, type Logger } from 'pino'

/** Synchronous, so that what is said right before a crash is not lost. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: [
        'password',
        '*.password',
        'api_key',
        '*.api_key',
        'token',
        '*.token',
        'authorization',
        '*.authorization',
      ],
    },
    destination({ dest: 2, sync: true }),
  )
}
