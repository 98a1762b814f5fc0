//! Calls by which an app asks about itself. They are metered: for a person who asks, never on
//! a timer.

use http::Method;
use larkline_proto::api::{
    Application, ApplicationBody, ConnectionCount, Endpoint, GrantedScopes, Page, Version,
};

use super::ApiClient;
use crate::api_error::ApiError;
use crate::call::Answer;

/// The console's texts are not read, but their language must be named.
const LANG: (&str, &str) = ("lang", "zh_cn");

impl ApiClient {
    /// How many long connections the platform sees for this app: the proof from outside that
    /// our link is up, and the sign of a second instance. Older deployments answer 404.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn connection_count(&self) -> Result<Answer<u32>, ApiError> {
        let path = ["event", "v1", "connection"];
        let call = self.bare(Endpoint::ConnectionCount, Method::GET, &path)?;
        let answer: Answer<ConnectionCount> = self.data(call).await?;
        Ok(answer.map(|count| count.online_instance_cnt))
    }

    /// The scopes that are granted to the app.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn scopes(&self) -> Result<Answer<Vec<String>>, ApiError> {
        let path = ["application", "v6", "scopes"];
        let answer: Answer<GrantedScopes> =
            self.data(self.bare(Endpoint::Scopes, Method::GET, &path)?).await?;
        Ok(answer.map(GrantedScopes::granted))
    }

    /// The app as the console shows it; needs `application:application:self_manage`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn application(&self) -> Result<Answer<Application>, ApiError> {
        let path = ["application", "v6", "applications", "me"];
        let mut call = self.bare(Endpoint::Application, Method::GET, &path)?;
        call.url.query_pairs_mut().append_pair(LANG.0, LANG.1);
        let answer: Answer<ApplicationBody> = self.data(call).await?;
        Ok(answer.map(|body| body.app))
    }

    /// The newest versions of the app, newest in front; needs the same scope.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn versions(&self) -> Result<Answer<Vec<Version>>, ApiError> {
        let path = ["application", "v6", "applications", "me", "app_versions"];
        let mut call = self.bare(Endpoint::Versions, Method::GET, &path)?;
        call.url.query_pairs_mut().append_pair(LANG.0, LANG.1).append_pair("page_size", "10");
        let answer: Answer<Page<Version>> = self.data(call).await?;
        Ok(answer.map(|page| page.items))
    }
}
