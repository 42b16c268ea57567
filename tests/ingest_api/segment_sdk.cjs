'use strict'
// Makes the calls that stdin lists with Segment's SDK, and prints each message once it is delivered.
const { readFileSync } = require('node:fs')
const { Analytics } = require('@segment/analytics-node')

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey })
for (const [kind, said] of JSON.parse(readFileSync(0, 'utf8'))) {
  analytics[kind]({ ...said, timestamp: new Date(said.timestamp) }, (error, context) => {
    if (error) throw error
    console.log(JSON.stringify(context.event))
  })
}
analytics.closeAndFlush()
