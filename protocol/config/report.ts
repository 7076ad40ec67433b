// The options of cost estimates: what a gigabyte costs at each backend, for `simulate` and `report`.
import { z } from 'zod'
import { duration } from './values.js'

const price = () =>
  z.number({ error: 'expected a price of 0 or more' }).min(0, 'expected a price of 0 or more')

const cost = z.strictObject({
  ingested_per_gb: price().default(0).describe('Price of a gigabyte (10^9 bytes) sent to the backend'),
  stored_per_gb_day: price().default(0).describe('Price of a gigabyte stored for a day'),
  retention: duration('30d').describe('How long the backend stores a record'),
  size_factor: z
    .number()
    .min(0)
    .default(1)
    .describe('Billed bytes for a byte of record, such as 0.1 where they are compressed'),
})

export const report = z
  .strictObject({
    currency: z.string().min(1).max(16).default('USD').describe('Label of the prices'),
    cost: z
      .record(z.string(), cost)
      .default({})
      .describe('Prices by the name of a backend, for `millrace simulate` and `millrace report`'),
  })
  .prefault({})

export type ReportOptions = z.output<typeof report>
export type CostOptions = z.output<typeof cost>
