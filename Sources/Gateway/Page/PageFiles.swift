// The page's files, compiled in: the executable needs nothing beside it to serve them.

/// One file of the page as it is served.
package struct PageFile: Sendable {
    /// Without its folder.
    package let name: String
    package let type: String
    package let bytes: [UInt8]

    private init(_ name: String, _ type: String, _ bytes: [UInt8]) {
        self.name = name
        self.type = type
        self.bytes = bytes
    }

    private static func script(_ name: String, _ bytes: [UInt8]) -> PageFile {
        PageFile("\(name).js", "text/javascript; charset=utf-8", bytes)
    }

    /// What `/` is.
    package static let index = PageFile("index.html", "text/html; charset=utf-8", PackageResources.index_html)

    /// What the page asks for as `/assets/NAME`.
    package static let assets = [
        PageFile("app.css", "text/css; charset=utf-8", PackageResources.app_css),
        PageFile("icon.svg", "image/svg+xml", PackageResources.icon_svg),
        script("api", PackageResources.api_js),
        script("connection", PackageResources.connection_js),
        script("content", PackageResources.content_js),
        script("dead", PackageResources.dead_js),
        script("dialog", PackageResources.dialog_js),
        script("dom", PackageResources.dom_js),
        script("filters", PackageResources.filters_js),
        script("format", PackageResources.format_js),
        script("graph", PackageResources.graph_js),
        script("job", PackageResources.job_js),
        script("lists", PackageResources.lists_js),
        script("live", PackageResources.live_js),
        script("main", PackageResources.main_js),
        script("output", PackageResources.output_js),
        script("overview", PackageResources.overview_js),
        script("plot", PackageResources.plot_js),
        script("problem", PackageResources.problem_js),
        script("recorder-worklet", PackageResources.recorder_worklet_js),
        script("recorder", PackageResources.recorder_js),
        script("request", PackageResources.request_js),
        script("samples", PackageResources.samples_js),
        script("session", PackageResources.session_js),
        script("signin", PackageResources.signin_js),
        script("submit", PackageResources.submit_js),
        script("table", PackageResources.table_js),
        script("timeline", PackageResources.timeline_js),
        script("walk", PackageResources.walk_js),
        script("workers", PackageResources.workers_js),
    ]
}
