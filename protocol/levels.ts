// Log levels and log types by the numbers that the kernel's record table carries.

/** Index = the kernel's level number; 0 is a record whose level is not known. */
export const LEVELS = ['unknown', 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
export type Level = (typeof LEVELS)[number]

/** Index = the kernel's log type number. */
export const LOG_TYPES = ['app', 'audit', 'metric'] as const
export type LogType = (typeof LOG_TYPES)[number]
