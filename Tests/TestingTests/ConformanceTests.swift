import JobQueueConformance
import StatexHandlers
import StatexTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConformanceTests {
    @Test(arguments: QueueBehaviour.all) func `the twin behaves as every queue`(_ behaviour: QueueBehaviour)
        async throws
    {
        let statex = try InMemoryStatex(handlers: NativeHandlers.all, slots: 2)
        try await behaviour.run(on: statex)
        await statex.close()
    }
}
