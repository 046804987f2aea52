import Foundation
import StatexClient
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Schedules with schedulers that are killed while they make up for times that passed.
    @Suite struct ScheduleTests {
        @Test func `each due time has exactly one job, however often its scheduler is killed`() async throws {
            let order = "{cron: '* * * * *', kind: echo, missed: all, overlap: allow}"
            try await TestStack.with(["schedules": "{minutely: \(order)}"]) { stack in
                var scheduler = try stack.startScheduler()
                try await scheduler.eventually("the schedule was seen") {
                    try stack.number("SELECT count(*) FROM statex.schedules_fired") == 1
                }
                try scheduler.kill()
                // As if it had first been seen two days ago.
                let connection = try stack.connection()
                try connection.run("UPDATE statex.schedules_fired SET due = due - 172800000000", doing: "set back")

                for _ in 0..<6 {
                    let before = try stack.number("SELECT count(*) FROM statex.schedules_fired")
                    scheduler = try stack.launchScheduler()
                    try await scheduler.eventually("some more are made up for") {
                        try stack.number("SELECT count(*) FROM statex.schedules_fired") > before
                    }
                    try scheduler.kill()
                }
                scheduler = try stack.startScheduler()
                try await scheduler.eventually("all are made up for") {
                    try stack.number(
                        "SELECT count(*) FROM statex.schedules_fired WHERE due > extract(epoch FROM now()) * 1e6 - 6e7"
                    ) > 0
                }
                #expect(
                    try stack.number(
                        """
                        SELECT count(*) FROM (SELECT due - lag(due) OVER (ORDER BY due) AS step
                            FROM statex.schedules_fired WHERE job <> 0) steps WHERE step <> 60000000
                        """) == 0)
                #expect(try stack.number("SELECT count(*) FROM statex.schedules_fired WHERE job <> 0") >= 2_880)
                #expect(
                    try stack.number(
                        """
                        SELECT count(*) FROM (SELECT job FROM statex.schedules_fired WHERE job <> 0) fired
                        FULL JOIN statex.jobs ON jobs.id = fired.job WHERE fired.job IS NULL OR jobs.id IS NULL
                        """) == 0)

                let listed = try CommandRun(
                    ["schedules", "--json", "--endpoint", stack.submitEndpoint()], in: stack.directory)
                #expect(listed.end == .exited(0) && listed.output.contains("\"name\" : \"minutely\""), "\(listed)")
            }
        }
    }
}
