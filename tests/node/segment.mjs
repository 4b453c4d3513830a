// Sends every kind of call with the unmodified SDK and prints its errors as JSON: node segment.mjs HOST WRITE_KEY COUNT
import { Analytics } from '@segment/analytics-node'

const [host, writeKey, count] = process.argv.slice(2)
const errors = []
const analytics = new Analytics({ writeKey, host, flushAt: 20, flushInterval: 200, maxRetries: 10 })
analytics.on('error', (error) => errors.push(`${error.code}: ${error.reason}`))

const context = { groupId: 'acme' }
analytics.identify({ userId: 'ann', traits: { role: 'admin' }, context })
analytics.group({ userId: 'ann', groupId: 'acme', traits: { plan: 'pro' } })
analytics.page({ userId: 'ann', name: 'Home', context })
analytics.screen({ userId: 'ann', name: 'Start', context })
analytics.alias({ userId: 'ann', previousId: 'device-1', context })
analytics.track({ userId: 'ann', event: 'Signed In', context })
for (let n = 0; n < Number(count); n++) {
  analytics.track({ userId: 'ann', event: 'Report Exported', properties: { n }, context })
}
await analytics.closeAndFlush({ timeout: 60000 })
console.log(JSON.stringify(errors))
