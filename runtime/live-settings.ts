// What changes while running and the hot path reads without a message: the sampling section, and what the traffic makes of it.
import { createTextMemory, type LiveText, openLiveText } from './live-text.js'

/** Posted to every worker at start. It outlives the threads: one that is restarted goes on by what is in it. */
export interface LiveSettingsMemory {
  readonly settings: SharedArrayBuffer
  readonly decisions: SharedArrayBuffer
}

/** The sampling section as JSON, published by the main thread after it passed the schema. */
export interface LiveSettings extends LiveText {
  /** Rates of services and rules in force (actors/traffic/decisions.ts), published by the actor `traffic`. */
  readonly decisions: LiveText
}

export const SETTINGS_BYTES_MAX = 256 * 1024
export const DECISIONS_BYTES_MAX = 2 * 1024 * 1024

export function createLiveMemory(text: string): LiveSettingsMemory {
  return {
    settings: createTextMemory(SETTINGS_BYTES_MAX, text),
    decisions: createTextMemory(DECISIONS_BYTES_MAX, ''),
  }
}

export function openLiveSettings({ settings, decisions }: LiveSettingsMemory): LiveSettings {
  return { ...openLiveText(settings), decisions: openLiveText(decisions) }
}
